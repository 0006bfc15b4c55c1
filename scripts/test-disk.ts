import { spawn } from 'node:child_process';
import { closeSync, existsSync, ftruncateSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Bytes. Sparse: only what is written takes room, and what is removed gives it back. */
const SIZE = 24 * 2 ** 30;
/** Exit code of the shell when there is no such file system to be had here. */
const CANNOT = 222;

/** Where it is mounted, for nobody else to see: a folder that every system has for that, with a name as short as that of `/tmp`, as sockets and tools want it. */
const AT = '/mnt';

const SCRIPT = `
  mkfs.ext4 -q -F -m 0 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard "$IMAGE" &&
  mount -t ext4 -o loop,discard,noatime "$IMAGE" ${AT} && chmod 1777 ${AT} || exit ${CANNOT}
  rm "$IMAGE"; unset IMAGE
  TMPDIR=${AT} exec "$@"`;

/**
 * Runs a command whose TMPDIR is a file system of its own: ext4 with a journal, in a file, mounted for this command and what it starts. The tests make and
 * remove some hundred thousand files: on an ext4 without a journal, as virtual machines of builders have it, a file takes 20 times as long to make while
 * the kernel remembers those that were removed lately. Gives the exit code; undefined where this cannot be (no root, no loop devices): nothing was run then.
 */
export async function onOwnDisk(command: readonly string[]): Promise<number | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
  const hidden = [process.cwd(), process.execPath, tmpdir()].some((path) => `${path}/`.startsWith(`${AT}/`));
  if (hidden || !existsSync(AT)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), 'strake-disk-'));
  const image = join(folder, 'image');
  const fd = openSync(image, 'wx');
  ftruncateSync(fd, SIZE);
  closeSync(fd);
  const child = spawn('unshare', ['--mount', 'sh', '-c', SCRIPT, 'sh', ...command], {
    stdio: 'inherit',
    env: { ...process.env, IMAGE: image },
  });
  const pass = (signal: NodeJS.Signals): void => void child.kill(signal);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, pass);
  const code = await new Promise<number>((resolve) => {
    child.on('error', () => resolve(CANNOT));
    child.on('close', (status) => resolve(status ?? 1));
  });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, pass);
  rmSync(folder, { recursive: true, force: true });
  return code === CANNOT ? undefined : code;
}
