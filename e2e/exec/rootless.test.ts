import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { testUser, userFolder, userLacking } from '../lib/user.ts';

const lacking = userLacking();

/** Root becomes an ordinary user with a range of ids, and runs the suite in a user namespace. */
for (const [ids, maps] of [
  ['range', ['--map-root-user', '--map-auto']],
  ['single', ['--map-root-user']],
] as const)
  test(`the suite in a user namespace: ${ids}`, { skip: lacking ?? false }, async (t) => {
    using user = testUser();
    const own = userFolder(user, ids);
    const [setpriv = '', ...drop] = user.prefix;
    const denied = spawnSync(setpriv, [...drop, 'unshare', ...maps, '--mount', 'true'], { encoding: 'utf8' });
    if (denied.status !== 0) {
      t.skip(`user namespaces do not work here: ${denied.stderr.trim()}`);
      return;
    }
    const inner = join(import.meta.dirname, 'rootless-inner.ts');
    const node = [
      process.execPath,
      '--disable-warning=ExperimentalWarning',
      '--test',
      '--test-isolation=none',
      '--test-reporter=tap',
      inner,
    ];
    const child = spawn(setpriv, [...drop, 'unshare', ...maps, '--mount', '--', ...node], {
      env: { PATH: process.env['PATH'], HOME: own, STRAKE_TEST_FOLDER: own, STRAKE_TEST_IDS: ids },
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: '/',
    });
    let tap = '';
    child.stdout.on('data', (chunk: Buffer) => (tap += chunk.toString()));
    const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
    const failed = [...tap.matchAll(/^\s*not ok \d+ - (.*)$/gm)].map((match) => match[1]);
    assert.equal(code, 0, `${failed.join('; ')}\n${tap}`);
    assert.deepEqual(failed, []);
    assert.ok(Number(/^# pass (\d+)$/m.exec(tap)?.[1]) > 50, tap);
  });

test('the mount namespace that the machine started with is refused', { skip: lacking ?? false }, () => {
  const folder = mkdtempSync('/tmp/strake-shared-');
  try {
    // The tests may run in one of their own: this process is to have that of the machine's first one, as far as that can be seen, and ancestors with no other.
    const first = '/proc/1/ns/mnt';
    const enter = isReadable(first) ? ['nsenter', `--mount=${first}`] : [];
    const tried = [process.execPath, join(import.meta.dirname, 'shared-mounts.ts'), folder];
    const args = ['setsid', '--fork', 'sh', '-c', '"$@"; true', 'sh', ...tried];
    const { stdout, stderr } = spawnSync('env', [...enter, ...args], { encoding: 'utf8', cwd: '/' });
    assert.equal(stdout, 'MOUNTS_SHARED\n', stderr);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function isReadable(link: string): boolean {
  try {
    readlinkSync(link);
    return true;
  } catch {
    return false;
  }
}
