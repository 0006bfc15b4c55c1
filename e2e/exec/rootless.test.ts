import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { findTool, hasCode, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor } from '../../src/exec/index.ts';

/** Root runs this, makes an ordinary user with a range of ids, and runs the suite as that user in a user namespace. */
const USER = 'strake-e2e';
const isRoot = process.getuid?.() === 0;
const missing = ['newuidmap', 'useradd', 'setpriv', 'unshare'].find((name) => findTool(name) === undefined);
const skip = !isRoot ? 'not root' : missing === undefined ? false : `${missing} is not installed`;
const folder = mkdtempSync(join(tmpdir(), 'strake-rootless-'));
chmodSync(folder, 0o755);
let made = false;
after(() => {
  rmSync(folder, { recursive: true, force: true });
  if (made) spawnSync('userdel', [USER]);
});

for (const [ids, maps] of [
  ['range', ['--map-root-user', '--map-auto']],
  ['single', ['--map-root-user']],
] as const)
  test(`the suite in a user namespace: ${ids}`, { skip }, async (t) => {
    const user = ordinaryUser();
    const own = mkdtempSync(join(folder, `${ids}-`));
    chownSync(own, user.uid, user.gid);
    const drop = ['--reuid', String(user.uid), '--regid', String(user.gid), '--clear-groups'];
    const denied = spawnSync('setpriv', [...drop, 'unshare', ...maps, '--mount', 'true'], { encoding: 'utf8' });
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
    const child = spawn('setpriv', [...drop, 'unshare', ...maps, '--mount', '--', ...node], {
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

test(
  'the mount namespace that the machine started with is refused',
  { skip: isRoot ? false : 'not root' },
  async () => {
    const options = { stateFolder: join(folder, 'state'), random: systemRandom, clock: systemClock };
    await assert.rejects(createExecutor(options), (error) => hasCode(error, 'MOUNTS_SHARED'));
  },
);

/** Made on first use; the subordinate range comes with it (login.defs), or is added. */
function ordinaryUser(): { uid: number; gid: number } {
  if (lineOf('/etc/passwd') === undefined) {
    const done = spawnSync('useradd', ['--no-create-home', '--shell', '/bin/sh', USER], { encoding: 'utf8' });
    assert.equal(done.status, 0, done.stderr);
    made = true;
  }
  if (lineOf('/etc/subuid') === undefined)
    spawnSync('usermod', ['--add-subuids', '300000-365535', '--add-subgids', '300000-365535', USER]);
  const [, , uid, gid] = (lineOf('/etc/passwd') ?? '').split(':');
  return { uid: Number(uid), gid: Number(gid) };
}

function lineOf(file: string): string | undefined {
  return readFileSync(file, 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`${USER}:`));
}
