import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor } from '../../src/exec/index.ts';
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

test('the mount namespace that the machine started with is refused', { skip: lacking ?? false }, async () => {
  const stateFolder = mkdtempSync(join(tmpdir(), 'strake-shared-'));
  try {
    const options = { stateFolder, random: systemRandom, clock: systemClock };
    await assert.rejects(createExecutor(options), (error) => hasCode(error, 'MOUNTS_SHARED'));
  } finally {
    rmSync(stateFolder, { recursive: true, force: true });
  }
});
