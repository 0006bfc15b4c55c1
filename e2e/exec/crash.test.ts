import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findTool, sys, systemClock, systemRandom } from '../../src/base/index.ts';
import { createExecutor, recoverExecutors } from '../../src/exec/index.ts';

const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync(join(tmpdir(), 'strake-crash-'));
if (isRoot) sys.unshareMounts();
after(() => rmSync(folder, { recursive: true, force: true }));

/** Killed at a point of its start that the seed decides; the last one when the step surely runs. */
const seed = Number(process.env['STRAKE_SEED'] ?? parseInt(systemRandom.hex(3), 16));

for (const name of ['crun', 'runc', 'builtin'] as const) {
  const program = name === 'builtin' ? 'unshare' : name;
  const skip = !isRoot ? 'not root' : findTool(program) === undefined ? `${program} is not installed` : false;
  test(
    `${name}: nothing of a step outlives kill -9, and what lies about is recovered (seed ${seed})`,
    { skip },
    async () => {
      const state = join(folder, `state-${name}`);
      const root = join(folder, `root-${name}`);
      mkdirSync(root);
      copyFileSync('/bin/busybox', join(root, 'busybox'));
      const marker = `7${parseInt(systemRandom.hex(4), 16)}`;
      for (let i = 0; i < 6; i++) {
        const child = spawn(
          process.execPath,
          [
            '--disable-warning=ExperimentalWarning',
            join(import.meta.dirname, 'crash-inner.ts'),
            name,
            state,
            root,
            marker,
          ],
          {
            stdio: ['ignore', 'pipe', 'inherit'],
          },
        );
        await new Promise((resolve) => child.stdout.once('data', resolve));
        if (i === 5) await until(() => sleepers(marker).length === 2);
        else await new Promise((resolve) => setTimeout(resolve, (seed * (i + 1)) % 97));
        child.kill('SIGKILL');
        await new Promise((resolve) => child.once('close', resolve));
        await until(() => sleepers(marker).length === 0);
      }
      await until(
        () => mentioning(state).length === 0,
        () => mentioning(state).join('\n'),
      );
      const found = recoverExecutors(state);
      assert.equal(found.length, 6);
      assert.deepEqual(
        readdirSync(state).filter((entry) => entry.startsWith('exec-')),
        [],
      );
      assert.deepEqual(recoverExecutors(state), []);
      for (const hierarchy of ['', ...readdirSync('/sys/fs/cgroup')])
        for (const id of found)
          assert.ok(!existsSync(join('/sys/fs/cgroup', hierarchy, 'strake', id)), `${hierarchy} ${id}`);
    },
  );
}

test('an executor that is in use is left alone', { skip: isRoot ? false : 'not root' }, async () => {
  const stateFolder = join(folder, 'state-live');
  await using executor = await createExecutor({ stateFolder, random: systemRandom, clock: systemClock });
  assert.ok(executor.report.name);
  assert.deepEqual(recoverExecutors(stateFolder), []);
  assert.equal(readdirSync(stateFolder).filter((entry) => entry.startsWith('exec-')).length, 1);
});

function sleepers(marker: string): number[] {
  return mentioning(marker);
}

/** Processes with this text in their arguments, but for this test's own child. */
function mentioning(text: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return args.includes(text) && !args.includes('crash-inner') && !args.includes('\0-c\0');
      } catch {
        return false;
      }
    });
}

async function until(done: () => boolean, detail = (): string => ''): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (done()) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assert.fail(`waited 10 seconds in vain: ${detail()}`);
}
