import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok, strake, type StrakeOptions } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
/** Rounds that end before the kill do not count, but end somewhere. */
const TRIES = 5;

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

/** The same moments for the same seed. */
function moments(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

async function survives(t: TestContext, wanted: number, user?: TestUser): Promise<void> {
  using store = await storeWithBase(user);
  const context = join(store.work, 'context');
  mkdirSync(context);
  for (let i = 0; i < 200; i++) writeFileSync(join(context, `file-${i}`), `${i}\n`.repeat(1000));
  // Changed arguments and a changed file make every step another one, so that there is something to interrupt.
  const change = (round: number): void => {
    writeFileSync(join(context, 'Dockerfile'), DOCKERFILE.replaceAll('RUN ', `RUN : ${round}; `));
    writeFileSync(join(context, 'changing'), Buffer.alloc(8 << 20, `${round}\n`));
  };
  const out = join(user?.home ?? store.work, 'out.tar');
  const args = ['build', '--progress=plain', '-t', 'killed', '-o', `type=oci,dest=${out}`, context];
  const o: StrakeOptions = { root: store.root, user, cwd: user?.home };
  change(-2);
  await ok(args, o);
  change(-1);
  const started = Date.now();
  await ok(args, o);
  const whole = Date.now() - started;
  const seed = Number(process.env['STRAKE_TEST_SEED'] ?? randomInt(2 ** 31));
  const random = moments(seed);
  t.diagnostic(`seed ${seed} (STRAKE_TEST_SEED); a build takes ${whole} ms`);
  let kills = 0;
  for (let round = 0; kills < wanted; round++) {
    assert.ok(round < wanted * TRIES, `only ${kills} of ${round} builds could be killed`);
    const after = Math.round(20 + random() * (whole - 20));
    change(round);
    let timer: NodeJS.Timeout | undefined;
    const killed = await strake(args, { ...o, onStart: (pid) => (timer = setTimeout(() => kill(pid), after)) });
    clearTimeout(timer);
    if (killed.code !== 128 + 9) {
      assert.equal(killed.code, 0, killed.stderr);
      t.diagnostic(`round ${round}: it had ended before ${after} ms`);
      continue;
    }
    kills += 1;
    const last = killed.stderr.trimEnd().split('\n').at(-1) ?? '';
    t.diagnostic(`round ${round}: killed after ${after} ms, at "${last}"`);
    const check = await strake(['doctor', '--check-store'], o);
    assert.equal(check.code, 0, `round ${round}: ${check.stdout}${check.stderr}`);
    assert.deepEqual(leftovers(store.root), [], `round ${round}, after the next command`);
    await ok(args, o);
    assert.deepEqual(leftovers(store.root), [], `round ${round}, after the same build`);
    assert.deepEqual(
      readdirSync(dirname(out)).filter((name) => name.startsWith('.out')),
      [],
    );
  }
}

describe('kill -9 (must show 6): the store verifies, nothing is left after the next command, the build completes', () => {
  test('at random moments of a build', async (t) => survives(t, FULL ? 20 : 3));

  test("at random moments of an ordinary user's build", { skip: userLacking() }, async (t) => {
    using user = testUser();
    await survives(t, FULL ? 20 : 1, user);
  });
});

/** Kills the program itself, as the kernel would; its children are its own business. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
