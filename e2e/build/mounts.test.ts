import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { programOf, tryArchitecture } from '../../src/exec/foreign.ts';
import { failsWith } from '../lib/failure.ts';
import { leftovers } from '../lib/leftovers.ts';
import { foundBelow, formsOf } from '../lib/search.ts';
import { BASE, emptyStore, storeWithBase, type TestStore } from '../lib/store.ts';
import { CHECKOUT, ok, stepsOf } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';

/** Every kind but secrets and agents, which `secrets.test.ts` has. */
const KINDS = `FROM ${BASE} AS base
FROM base AS seed
RUN mkdir -p /var/seed/in && echo seeded > /var/seed/in/file && chown 7:8 /var/seed/in/file && ln -s / /var/seed/up
FROM base
RUN --mount=type=bind,target=/src --mount=type=bind,source=sub/one,target=/one,rw \\
    --mount=type=bind,from=seed,source=/var/seed/in/file,target=/deep/er/file --mount=from=seed,source=/var/seed/up/var/seed/in,target=/in \\
    grep -q KINDS /src/Dockerfile && grep -q 1 /one && echo 2 > /one && grep -q 2 /one && grep -q seeded /deep/er/file \\
    && test "$(stat -c %u:%g /in/file)" = 7:8 && ! touch /src/x /in/x # KINDS
RUN --mount=type=bind,source=sub,target=/sub,rw grep -q 1 /sub/one && echo 3 > /sub/one && touch /sub/new
RUN --mount=type=cache,target=/a,uid=5,gid=6,mode=0770 test "$(stat -c %a:%u:%g /a)" = 770:5:6 && date +%N >> /a/times
RUN --mount=type=cache,target=/a,uid=5,gid=6,mode=0770 --mount=type=cache,id=/a,target=/b,uid=5,gid=6,mode=0770 cmp /a/times /b/times
RUN --mount=type=cache,target=/a test ! -e /a/times
RUN --mount=type=cache,target=/a,uid=5,gid=6,mode=0770,ro ! touch /a/times && ls -l /a/times
RUN --mount=type=cache,id=seeded,target=/s,from=seed,source=/var/seed,sharing=private \\
    test "$(stat -c %u:%g /s/in/file)" = 7:8 && test "$(readlink /s/up)" = / && rm -r /s/in && touch /s/mine
RUN --mount=type=cache,id=seeded,target=/s,from=seed,source=/var/seed,sharing=locked test ! -e /s/in && test -e /s/mine
RUN --mount=type=tmpfs,target=/t,size=1m test "$(df -k --output=size /t | tail -n 1)" -eq 1024 && ! head -c 2000000 /dev/zero > /t/x
RUN --mount=type=tmpfs,target=/run test -z "$(ls /run)" && touch /run/x
WORKDIR /src
RUN --mount=target=. test -e Dockerfile && test -e sub/one
`;

function contextIn(work: string): string {
  const context = join(work, 'context');
  mkdirSync(join(context, 'sub'), { recursive: true });
  writeFileSync(join(context, 'sub/one'), '1\n');
  writeFileSync(join(context, 'Dockerfile'), KINDS);
  return context;
}

async function everyKind(executors: readonly string[], user?: TestUser): Promise<void> {
  using store = await storeWithBase(user);
  const context = contextIn(store.work);
  for (const executor of executors) {
    const out = join(user?.home ?? store.work, executor);
    // Caches of its own for each.
    const args = ['--no-cache', `--executor=${executor}`, '--build-arg', `BUILDKIT_CACHE_MOUNT_NS=${executor}`];
    await ok(['build', ...args, '-o', out, context], { root: store.root, user, cwd: user?.home });
    for (const path of ['one', 'deep', 'in', 'sub', 'a', 'b', 's', 't', 'run/x', 'src/Dockerfile'])
      assert.ok(!existsSync(join(out, path)), `"${path}" leaves no trace`);
  }
  assert.deepEqual(leftovers(store.root), []);
}

describe('what a RUN mounts, by Dockerfile', () => {
  test('as root, by crun, runc and util-linux alone', async () => everyKind(['crun', 'runc', 'builtin']));

  test('as an ordinary user', { skip: userLacking() }, async () => {
    using user = testUser();
    await everyKind(['crun'], user);
  });
});

test('what is mounted counts by its content, also where it may be written to', async () => {
  using store = await storeWithBase();
  const context = contextIn(store.work);
  const runs = ['--mount=source=sub/one,target=/one', '--mount=source=sub,target=/sub,rw'].map(
    (mount) => `RUN ${mount} id`,
  );
  const build = async (): Promise<readonly (string | undefined)[]> => {
    const { stderr } = await ok(['build', '--progress=plain', context], { root: store.root });
    const steps = [...stepsOf(stderr)];
    return runs.map((run) => steps.find(([name]) => name.endsWith(run))?.[1]);
  };
  writeFileSync(join(context, 'Dockerfile'), [`FROM ${BASE}`, ...runs].join('\n'));
  assert.deepEqual(await build(), ['DONE', 'DONE']);
  writeFileSync(join(context, 'other'), 'x');
  assert.deepEqual(await build(), ['CACHED (content)', 'CACHED (content)']);
  const marker = 'only in the context, and mounted';
  writeFileSync(join(context, 'sub/two'), marker);
  assert.deepEqual(await build(), ['CACHED (content)', 'DONE']);
  writeFileSync(join(context, 'sub/one'), 'x');
  assert.deepEqual(await build(), ['DONE', 'DONE']);
  // What was mounted is not kept.
  assert.deepEqual(foundBelow(store.root, formsOf('context', Buffer.from(marker))).found, []);
});

/** A build that runs, and what it has said so far. */
class Building implements Disposable {
  readonly ended: Promise<number>;
  said = '';
  readonly #kill: (signal: NodeJS.Signals) => void;
  #waiting: (() => void)[] = [];

  constructor(args: readonly string[], o: { readonly root: string; readonly user?: TestUser | undefined }) {
    const start = o.user?.prefix ?? ['env'];
    const command = [...start.slice(1), join(CHECKOUT, 'strake'), 'build', '--progress=plain', ...args];
    const child = spawn(start[0] ?? '', command, {
      env: { ...process.env, HOME: o.user?.home ?? process.env['HOME'], STRAKE_ROOT: o.root, NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => {
        this.said += chunk.toString();
        for (const wake of this.#waiting.splice(0)) wake();
      });
    this.ended = new Promise((resolve) =>
      child.once('close', (code) => {
        resolve(code ?? -1);
        for (const wake of this.#waiting.splice(0)) wake();
      }),
    );
    this.#kill = (signal) => void child.kill(signal);
    void this.ended.then(() => (this.over = true));
  }

  over = false;

  async says(what: RegExp): Promise<void> {
    while (!what.test(this.said)) {
      if (this.over) assert.fail(`it never said ${what}: ${this.said}`);
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  kill(): void {
    this.#kill('SIGKILL');
  }

  [Symbol.dispose](): void {
    if (!this.over) this.kill();
  }
}

describe('cache mounts that two builds want at once', () => {
  let store: TestStore;
  before(async () => {
    store = await storeWithBase();
  });
  after(() => store[Symbol.dispose]());

  /** A step that says `name-in`, waits for `NAME-go` in its cache, and leaves a mark. */
  const build = (name: string, sharing: string, id: string, o: { user?: TestUser; at?: TestStore } = {}): Building => {
    const context = join((o.at ?? store).work, name);
    mkdirSync(context);
    const script = `echo ${name}-in; while [ ! -e /c/${name}-go ]; do sleep 0.05; done; touch /c/${name}-was; ls /c; echo ${name}-out`;
    writeFileSync(
      join(context, 'Dockerfile'),
      `FROM ${BASE}\nRUN --mount=type=cache,id=${id},target=/c,sharing=${sharing} sh -c '${script}'\n`,
    );
    return new Building([context], { root: (o.at ?? store).root, user: o.user });
  };
  const folders = (id: string, at: TestStore = store): string[] => {
    const caches = join(at.root, 'ground/caches');
    return readdirSync(caches)
      .filter((name) => existsSync(join(caches, name, 'about.json')))
      .filter(
        (name) => (JSON.parse(readFileSync(join(caches, name, 'about.json'), 'utf8')) as { id: string }).id === id,
      )
      .map((name) => join(caches, name, 'f'));
  };
  const go = (id: string, name: string, at: TestStore = store): void => {
    for (const folder of folders(id, at)) writeFileSync(join(folder, `${name}-go`), '');
  };

  test('shared: both have it', async () => {
    using one = build('shared-one', 'shared', 'shared');
    using two = build('shared-two', 'shared', 'shared');
    await one.says(/^#\d+ [\d.]+ shared-one-in$/m);
    await two.says(/^#\d+ [\d.]+ shared-two-in$/m);
    assert.equal(folders('shared').length, 1);
    for (const name of ['shared-one', 'shared-two']) go('shared', name);
    assert.deepEqual([await one.ended, await two.ended], [0, 0], one.said + two.said);
    assert.doesNotMatch(one.said + two.said, /waiting for/);
  });

  test('private: each has one of its own, and a later one finds the first', async () => {
    using one = build('private-one', 'private', 'private');
    await one.says(/^#\d+ [\d.]+ private-one-in$/m);
    using two = build('private-two', 'private', 'private');
    await two.says(/^#\d+ [\d.]+ private-two-in$/m);
    assert.equal(folders('private').length, 2);
    for (const name of ['private-one', 'private-two']) go('private', name);
    assert.deepEqual([await one.ended, await two.ended], [0, 0], one.said + two.said);
    using three = build('private-three', 'private', 'private');
    await three.says(/^#\d+ [\d.]+ private-three-in$/m);
    assert.equal(folders('private').length, 2);
    go('private', 'private-three');
    assert.equal(await three.ended, 0);
    assert.match(three.said, /private-one-was/);
  });

  test('locked: the second waits, says so, and goes on when the first is done', async () => {
    using one = build('locked-one', 'locked', 'locked');
    await one.says(/^#\d+ [\d.]+ locked-one-in$/m);
    using two = build('locked-two', 'locked', 'locked');
    await two.says(/waiting for the cache mount "locked"/);
    assert.doesNotMatch(two.said, /^#\d+ [\d.]+ locked-two-in$/m);
    for (const name of ['locked-one', 'locked-two']) go('locked', name);
    assert.deepEqual([await one.ended, await two.ended], [0, 0], one.said + two.said);
    assert.match(two.said, /locked-one-was/);
  });

  test(
    'locked, by an ordinary user: the second waits, and goes on when the first is killed',
    { skip: userLacking() },
    async () => {
      using user = testUser();
      using at = await storeWithBase(user);
      using one = build('user-one', 'locked', 'user', { user, at });
      await one.says(/^#\d+ [\d.]+ user-one-in$/m);
      using two = build('user-two', 'locked', 'user', { user, at });
      await two.says(/waiting for the cache mount "user"/);
      assert.doesNotMatch(two.said, /^#\d+ [\d.]+ user-two-in$/m);
      one.kill();
      await two.says(/^#\d+ [\d.]+ user-two-in$/m);
      go('user', 'user-two', at);
      assert.equal(await two.ended, 0, two.said);
      assert.doesNotMatch(two.said, /user-one-was/);
      assert.deepEqual(leftovers(at.root), []);
    },
  );

  test('kill -9 of who has it locked: the other goes on with what there is, and nothing is left', async () => {
    using one = build('killed-one', 'locked', 'killed');
    await one.says(/^#\d+ [\d.]+ killed-one-in$/m);
    using two = build('killed-two', 'locked', 'killed');
    await two.says(/waiting for the cache mount "killed"/);
    one.kill();
    await two.says(/^#\d+ [\d.]+ killed-two-in$/m);
    go('killed', 'killed-two');
    assert.equal(await two.ended, 0, two.said);
    assert.doesNotMatch(two.said, /killed-one-was/);
    await ok(['doctor', '--check-store'], store);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('they are listed, counted and removed by prune, but for one that is in use', async () => {
    using one = build('used', 'shared', 'used');
    await one.says(/^#\d+ [\d.]+ used-in$/m);
    const kept = await ok(['prune'], store);
    assert.doesNotMatch(kept.stdout, /cache mount/);
    const dry = await ok(['prune', '--all', '--dry-run'], store);
    assert.match(dry.stdout, /^cache mount "locked": \S+, last used /m);
    assert.doesNotMatch(dry.stdout, /"used"/);
    assert.match((await ok(['doctor'], store)).stdout, /\b6 cache mounts, /);
    await ok(['prune', '--all'], store);
    assert.deepEqual([folders('locked').length, folders('used').length], [0, 1]);
    go('used', 'used');
    assert.equal(await one.ended, 0, one.said);
  });
});

describe('what a step is not allowed, or this machine cannot do', () => {
  test('entitlements are named with what grants them', async () => {
    using store = await storeWithBase();
    for (const [flag, entitlement] of [
      ['--security=insecure', 'security.insecure'],
      ['--network=host', 'network.host'],
    ] as const) {
      writeFileSync(join(store.work, 'Dockerfile'), `FROM ${BASE}\nRUN ${flag} echo run\n`);
      await failsWith(['build', store.work], {
        root: store.root,
        code: 77,
        says: [`${entitlement} is not allowed`],
        place: { at: 'Dockerfile:2', line: `RUN ${flag} echo run` },
        help: `--allow ${entitlement}`,
      });
      await ok(['build', '--allow', entitlement, store.work], { root: store.root });
    }
  });

  test('a source that is not there is named', async () => {
    using store = await storeWithBase();
    const run = 'RUN --mount=source=absent,target=/x ls /x';
    writeFileSync(join(store.work, 'Dockerfile'), `FROM ${BASE}\n${run}\n`);
    await failsWith(['build', store.work], {
      root: store.root,
      code: 66,
      says: ['"/absent": not found'],
      place: { at: 'Dockerfile:2', line: run },
      help: /./,
    });
  });

  test('programs of another architecture: run where the kernel does, else refused before the step', async (t) => {
    using store = emptyStore();
    const context = join(store.work, 'context');
    mkdirSync(context);
    for (const architecture of ['386', 's390x']) {
      writeFileSync(join(context, 'exit'), programOf(architecture) ?? assert.fail(), { mode: 0o755 });
      writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY exit /exit\nRUN ["/exit"]\n');
      const args = ['build', '--platform', `linux/${architecture}`, context];
      const { works } = await tryArchitecture(architecture, { folder: store.work });
      t.diagnostic(`${architecture}: ${works ? 'works' : 'does not work'} here`);
      if (works) await ok(args, { root: store.root });
      else
        await failsWith(args, {
          root: store.root,
          code: 78,
          says: [`run a step for linux/${architecture}`, 'cannot execute its programs'],
          place: { at: 'Dockerfile:3', line: 'RUN ["/exit"]' },
          help: /qemu-user-static/,
        });
    }
  });

  test('an emulator that the kernel was told of: used inside the image, or refused where it would not be found there', async (t) => {
    const lacking = emulatorLacking();
    if (lacking !== undefined) return t.skip(lacking);
    using store = emptyStore();
    const context = join(store.work, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'exit'), programOf(FOREIGN) ?? assert.fail(), { mode: 0o755 });
    writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY exit /exit\nRUN ["/exit"]\n');
    // Any program of this machine's will do as the emulator: what counts is that it is started.
    const emulator = join(store.work, 'emulator');
    writeFileSync(emulator, programOf(OWN) ?? assert.fail(), { mode: 0o755 });
    const args = ['build', '--platform', `linux/${FOREIGN}`, context];
    await ok(args, { root: store.root, user: withEmulator(emulator, 'F') });
    await failsWith([...args, '--no-cache'], {
      root: store.root,
      user: withEmulator(emulator, ''),
      code: 78,
      says: ['is not found inside an image'],
      place: { at: 'Dockerfile:3', line: 'RUN ["/exit"]' },
      help: /flag F/,
    });
  });
});

const OWN = process.arch === 'x64' ? 'amd64' : process.arch;
const FOREIGN = 's390x';
const BINFMT = '/proc/sys/fs/binfmt_misc';

/** Since Linux 6.7 each user namespace can have emulators of its own. */
function emulatorLacking(): string | undefined {
  const script = `mount -t binfmt_misc binfmt_misc ${BINFMT}`;
  const tried = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'sh', '-c', script], {
    encoding: 'utf8',
  });
  return tried.status === 0 ? undefined : `no emulators of a namespace's own: ${tried.stderr.trim()}`;
}

/** Root of a namespace in which the kernel runs programs of s390x by this one. */
function withEmulator(path: string, flags: string): TestUser {
  const magic = String.raw`\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16`;
  const script = `mount -t binfmt_misc binfmt_misc ${BINFMT} && printf %s "$1" > ${BINFMT}/register && shift && exec "$@"`;
  const start = [
    'unshare',
    '--user',
    '--map-root-user',
    '--mount',
    'sh',
    '-c',
    script,
    'sh',
    `:strake:M::${magic}::${path}:${flags}`,
  ];
  return { name: 'root', uid: 0, gid: 0, home: '/root', prefix: start, [Symbol.dispose]: () => undefined };
}
