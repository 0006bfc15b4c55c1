import { spawn } from 'node:child_process';
import { chmodSync, closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Bytes. Sparse: only what is written takes room, and what is removed gives it back. */
const SIZE = 24 * 2 ** 30;
/** Exit code of the shell when there is no such file system to be had here. */
const CANNOT = 222;

const SCRIPT = `
  mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$IMAGE" &&
  mount -t ext4 -o loop,discard,noatime "$IMAGE" "$TMPDIR" && chmod 1777 "$TMPDIR" || exit ${CANNOT}
  rm "$IMAGE"; unset IMAGE
  exec "$@"`;

/**
 * Runs a command whose TMPDIR is a file system of its own: ext4 with a journal, in a file, mounted for this command and what it starts. The tests make and
 * remove some hundred thousand files: on an ext4 without a journal, as virtual machines of builders have it, a file takes 20 times as long to make while
 * the kernel remembers those that were removed lately. Gives the exit code; undefined where this cannot be (no root, no loop devices): nothing was run then.
 */
export async function onOwnDisk(command: readonly string[]): Promise<number | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  // Short: paths of sockets have 107 bytes.
  const folder = mkdtempSync(join(tmpdir(), 'st-'));
  const image = `${folder}.img`;
  const fd = openSync(image, 'wx');
  ftruncateSync(fd, SIZE);
  closeSync(fd);
  chmodSync(folder, 0o755);
  const child = spawn('unshare', ['--mount', 'sh', '-c', SCRIPT, 'sh', ...command], {
    stdio: 'inherit',
    env: { ...process.env, IMAGE: image, TMPDIR: folder },
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(CANNOT));
    child.on('close', (status) => resolve(status ?? 1));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass);
  rmSync(image, { force: true });
  rmdirSync(folder);
  return code === CANNOT ? undefined : code;
}
