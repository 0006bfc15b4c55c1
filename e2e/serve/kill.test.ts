import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemRandom } from '../../src/base/index.ts';
import { Control } from '../../src/wire/gen/buildkit/control_pb.ts';
import { leftovers } from '../lib/leftovers.ts';
import { ok, strake, type StrakeResult } from '../lib/strake.ts';
import { Daemon } from './client.ts';

/** A daemon that is killed again and again while clients build on it (issue D, must show 6). */
const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const ROUNDS = FULL ? 20 : 3;
const CLIENTS = 5;

const seed = Number(process.env['STRAKE_SEED'] ?? Number.parseInt(systemRandom.hex(3), 16));
const folder = mkdtempSync(join(tmpdir(), 'strake-kill-'));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Numbers below 1 that the seed decides (mulberry32). */
function numbers(from: number): () => number {
  let state = from;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Steps that clients share and steps of their own, with files, a process that takes a moment, and a copy of what it made. */
function write(context: string, salt: string): void {
  mkdirSync(join(context, 'src'), { recursive: true });
  copyFileSync('/bin/busybox', join(context, 'busybox'));
  for (let n = 0; n < 60; n++) writeFileSync(join(context, `src/file${n}`), `${salt} ${n}\n`.repeat(300));
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM scratch AS tools
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox sleep 0.2; echo shared > /shared"]
FROM tools AS made
COPY src /src
RUN ["/bin/busybox", "sh", "-c", "/bin/busybox cat /src/file* > /all; /bin/busybox sleep 0.3; echo ${salt} >> /all"]
FROM scratch
COPY --from=made /all /shared /
`,
  );
}

function expected(salt: string): string {
  const names = Array.from({ length: 60 }, (_, n) => `file${n}`).sort();
  return names.map((name) => `${salt} ${name.slice(4)}\n`.repeat(300)).join('') + `${salt}\n`;
}

test(`a daemon killed ${ROUNDS} times under ${CLIENTS} clients loses nothing and answers rightly (seed ${seed})`, async (t) => {
  const random = numbers(seed);
  const home = join(folder, 'daemon');
  const root = join(home, 'store');
  let [ended, finished] = [0, 0];
  const build = (daemon: Daemon, name: string, salt: string): Promise<StrakeResult> => {
    const context = join(folder, name);
    if (!existsSync(context)) write(context, salt);
    const out = join(folder, `out-${name}`);
    rmSync(out, { recursive: true, force: true });
    const args = ['build', '--on', `buildkit+unix://${daemon.socket}`, '--progress=plain', '-o', out, context];
    return strake(args, { root: join(folder, `client-${name}`) });
  };
  const check = (name: string, salt: string): void => {
    assert.equal(readFileSync(join(folder, `out-${name}`, 'all'), 'utf8'), expected(salt), name);
    assert.equal(readFileSync(join(folder, `out-${name}`, 'shared'), 'utf8'), 'shared\n');
  };

  // How long five such builds take here: it is killed somewhere within, or shortly after.
  let longest = 0;
  {
    await using daemon = await Daemon.start(home);
    const names = Array.from({ length: CLIENTS }, (_, n) => `before-${n}`);
    const begun = performance.now();
    for (const [n, result] of (await Promise.all(names.map((name) => build(daemon, name, name)))).entries()) {
      assert.equal(result.code, 0, result.stderr);
      check(names[n] as string, names[n] as string);
    }
    longest = 1.2 * (performance.now() - begun);
  }

  for (let round = 0; round < ROUNDS; round++) {
    const daemon = await Daemon.start(home);
    const names = Array.from({ length: CLIENTS }, (_, n) => `${round}-${n}`);
    const builds = names.map((name) => build(daemon, name, name));
    await new Promise((resolve) => setTimeout(resolve, random() * longest));
    daemon.process.kill('SIGKILL');
    await daemon.exited;
    for (const [n, result] of (await Promise.all(builds)).entries()) {
      const name = names[n] as string;
      if (result.code === 0) {
        finished += 1;
        check(name, name);
        continue;
      }
      ended += 1;
      assert.match(result.stderr, /^error: /m, result.stderr);
      assert.doesNotMatch(result.stderr, /\n {4}at |TypeError|ReferenceError|node:internal/, result.stderr);
      // All of it may have come before the daemon could say so.
      if (existsSync(join(folder, `out-${name}`))) check(name, name);
    }
  }

  await using daemon = await Daemon.start(home);
  {
    await using connection = await daemon.connect();
    const active = connection.client(Control).listenBuildHistory({ ActiveOnly: true, EarlyExit: true });
    assert.deepEqual(await Array.fromAsync(active), [], 'nothing counts as running');
  }
  const last = `${ROUNDS - 1}-0`;
  for (const [name, salt] of [[last, last] as const, ['after', 'after'] as const]) {
    const result = await build(daemon, name, salt);
    assert.equal(result.code, 0, result.stderr);
    check(name, salt);
  }
  const again = await build(daemon, 'after', 'after');
  assert.match(again.stderr, /CACHED/);
  t.diagnostic(`${finished} builds finished, ${ended} were told that the daemon is gone`);
  daemon.process.kill('SIGTERM');
  assert.equal(await daemon.exited, 0, daemon.log);
  assert.match((await ok(['doctor', '--check-store'], { root })).stdout, /The store is whole/);
  assert.deepEqual(leftovers(root), []);
});
