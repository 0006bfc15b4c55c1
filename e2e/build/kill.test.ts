import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const KILLS = FULL ? 20 : 3;

const DOCKERFILE = `FROM ${BASE} AS one
RUN seq 1 200000 > /numbers && sleep 0.3 && sort -r /numbers > /sorted
FROM ${BASE} AS two
COPY . /context
RUN sleep 0.4; find /context -type f | xargs cat | md5sum > /sum
FROM ${BASE}
COPY --from=one /sorted /
COPY --from=two /sum /
RUN wc -l /sorted && cat /sum
`;

describe('kill -9 (must show 6)', () => {
  test(`at ${KILLS} random moments: the store verifies, nothing is left after the next command, the build completes`, async (t) => {
    using store = await storeWithBase();
    writeFileSync(join(store.work, 'Dockerfile'), DOCKERFILE);
    for (let i = 0; i < 200; i++) writeFileSync(join(store.work, `file-${i}`), `${i}\n`.repeat(1000));
    const args = [
      'build',
      '--progress=plain',
      '-t',
      'killed',
      '-o',
      `type=oci,dest=${join(store.work, '../out.tar')}`,
      store.work,
    ];
    const started = Date.now();
    await ok(args, { root: store.root });
    const whole = Date.now() - started;
    for (let round = 0; round < KILLS; round++) {
      const after = randomInt(20, Math.max(100, whole));
      t.diagnostic(`round ${round}: killed after ${after} ms`);
      let timer: NodeJS.Timeout | undefined;
      // A new argument makes every RUN another step, so that there is something to interrupt.
      writeFileSync(join(store.work, 'Dockerfile'), DOCKERFILE.replaceAll('RUN ', `RUN : ${round}; `));
      const killed = await strake(args, {
        root: store.root,
        onStart: (pid) => (timer = setTimeout(() => killTree(pid), after)),
      });
      clearTimeout(timer);
      if (killed.code === 0) t.diagnostic(`round ${round}: it had ended before`);
      const check = await strake(['doctor', '--check-store'], { root: store.root });
      assert.equal(check.code, 0, `round ${round}: ${check.stdout}${check.stderr}`);
      await ok(args, { root: store.root });
      assert.deepEqual(leftovers(store.root), [], `round ${round}`);
    }
  });
});

/** Kills the program itself, as the kernel would; its children are its own business. */
function killTree(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
