import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock, systemRandom } from '../base/index.ts';
import { execError } from '../exec/errors.ts';
import type { Executor } from '../exec/index.ts';
import { watchHealth } from './health.ts';

/** Runs as many checks as there are outcomes (an exit code, or no such process) and gives what was told. */
async function told(outcomes: readonly (number | 'absent')[]): Promise<readonly string[]> {
  const left = [...outcomes];
  const done = new AbortController();
  const join = async (): Promise<number> => {
    const next = left.shift();
    if (left.length === 0) done.abort();
    if (next === 'absent') throw execError('PROCESS_ABSENT', 'run "check" in "c": it does not run');
    return next ?? 0;
  };
  const said: string[] = [];
  await watchHealth({
    id: 'c',
    executor: { running: { join } } as unknown as Executor,
    config: { Healthcheck: { Test: ['CMD', 'check'], Interval: 1_000_000, Retries: 2 } },
    process: { env: [], cwd: '/', user: { uid: 0, gid: 0, additionalGids: [] } },
    clock: systemClock,
    random: systemRandom,
    onChange: (health) => said.push(health),
    signal: done.signal,
  });
  return said;
}

test('unhealthy by so many failures in a row, healthy by one success', async () => {
  assert.deepEqual(await told([1, 0, 1, 1, 1, 0, 0]), ['healthy', 'unhealthy', 'healthy']);
});

test('a process that is not there yet, or any more, is no failed check', async () => {
  assert.deepEqual(await told(['absent', 'absent', 'absent', 0, 1, 'absent', 1, 0]), [
    'healthy',
    'unhealthy',
    'healthy',
  ]);
  assert.deepEqual(await told(['absent', 'absent', 'absent', 'absent']), []);
});
