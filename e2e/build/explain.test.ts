import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { craftedRegistry, rawTar, shellRoot } from '../lib/crafted.ts';
import { foundBelow, foundIn, formsOf } from '../lib/search.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { dockerRegistry, lacking, scratchFolder } from '../registry/world.ts';

const FULL = process.env['STRAKE_TEST_FULL'] === '1';
const FILES = FULL ? 20_000 : 2000;

interface Explained {
  readonly comparedWith?: unknown;
  readonly steps: readonly {
    readonly number: number;
    readonly instruction: string;
    readonly outcome: string;
    readonly hit: boolean;
    readonly from?: string;
    readonly causes: readonly (Readonly<Record<string, unknown>> & {
      readonly paths?: readonly { readonly path: string; readonly before?: Side; readonly after?: Side }[];
    })[];
  }[];
}

interface Side {
  readonly digest?: string;
  readonly about?: string;
}

const digest = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

describe('explain (must show 5)', () => {
  const closing = new AsyncDisposableStack();
  let shell = '';

  before(async () => {
    const crafted = closing.use(await craftedRegistry());
    shell = (await crafted.image('shell', [rawTar(shellRoot())])).name;
  });
  after(() => closing.disposeAsync());

  const write = (store: TestStore, files: Readonly<Record<string, string>>): void => {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(store.work, name), content);
  };
  const build = (store: TestStore, ...args: string[]) =>
    ok(['build', '--progress=plain', ...args, '.'], { root: store.root, cwd: store.work });
  const text = async (store: TestStore, ...args: string[]): Promise<string> => {
    const { stdout } = await ok(['explain', ...args], { root: store.root, cwd: store.work });
    for (const line of stdout.split('\n')) assert.ok(line.length <= 80, line);
    return stdout;
  };
  const json = async (store: TestStore, ...args: string[]): Promise<Explained> => {
    const { stdout } = await ok(['explain', '--format', 'json', ...args], { root: store.root, cwd: store.work });
    return JSON.parse(stdout) as Explained;
  };

  test('the one changed file among 20,000 (2,000), its mode, and all of them', async () => {
    using store = emptyStore();
    write(store, { Dockerfile: `FROM ${shell}\nCOPY files /files\nWORKDIR /done\n` });
    const path = (i: number): string => `files/${i % 100}/file${i}`;
    const content = (i: number, more = ''): string => `content ${i}${more}\n`;
    const writeAll = (more: string): void => {
      for (let i = 0; i < FILES; i++) writeFileSync(join(store.work, path(i)), content(i, more));
    };
    for (let i = 0; i < 100; i++) mkdirSync(join(store.work, `files/${i}`), { recursive: true });
    writeAll('');
    await build(store);
    const first = await json(store);
    assert.deepEqual(
      first.steps.map(({ causes }) => causes),
      [[{ kind: 'first' }], [{ kind: 'first' }], [{ kind: 'first' }]],
    );

    const one = 1307;
    writeFileSync(join(store.work, path(one)), content(one, ' changed'));
    const { stderr } = await build(store);
    assert.match(stderr, /^#(\d+) \[2\/3\] COPY files \/files\n#\1 miss: files\/7\/file1307 changed$/m);
    assert.match(stderr, /^#\d+ miss: because of #\d+$/m);
    const { steps } = await json(store);
    const [, copy, run] = steps;
    const about = 'file 0644';
    const sides = {
      before: { digest: digest(content(one)), about },
      after: { digest: digest(content(one, ' changed')), about },
    };
    assert.deepEqual(copy?.causes, [
      { kind: 'files', changed: 1, added: 0, removed: 0, paths: [{ path: path(one), change: 'changed', ...sides }] },
    ]);
    assert.deepEqual(run?.causes, [{ kind: 'follows', step: 2, name: '[2/3] COPY files /files' }]);
    const short = (side: string): string => side.slice(7, 19);
    const said = await text(store);
    assert.ok(
      said.includes(`files/7/file1307 changed: ${short(sides.before.digest)} -> ${short(sides.after.digest)}`),
      said,
    );
    assert.match(said, /^3 miss .* WORKDIR \/done\n +because step 2 changed$/m);

    chmodSync(join(store.work, path(one)), 0o755);
    await build(store);
    assert.match(await text(store, '2'), /files\/7\/file1307 changed: mode 0644 -> 0755/);

    writeAll(' again');
    await build(store);
    const summary = await text(store);
    assert.match(summary, FULL ? /20,000 paths changed/ : /2,000 paths changed/);
    assert.ok(summary.split('\n').length < 20);
    const whole = (await json(store, '2')).steps[0]?.causes[0]?.paths;
    assert.equal(whole?.length, FILES);
    assert.ok(whole.every(({ before: old, after: now }) => old?.digest !== now?.digest));
    // What is kept for this is small beside what it tells of.
    await ok(['prune', '--all'], { root: store.root });
    const kept = readFileSync(join(store.root, 'strake.db')).length;
    assert.ok(kept < 12 << 20, `${kept}`);
  });

  test('the changed ARG; an ARG and a secret whose bytes are on record nowhere', async () => {
    using store = emptyStore();
    write(store, {
      Dockerfile: `FROM ${shell}
ARG VERSION=1
RUN echo "$VERSION" > /version
ARG NPM_TOKEN
ENV URL=https://ci:\${NPM_TOKEN}@npm.example/
RUN --mount=type=secret,id=mounted read s < /run/secrets/mounted; echo "$NPM_TOKEN" | while read a; do echo "\${a%%-*}"; done > /out
WORKDIR /srv/$VERSION
`,
    });
    const secrets = ['tristan-und-isolde-7', 'tristan-und-isolde-8', 'the-mounted-secret-9'];
    writeFileSync(join(store.work, '../mounted'), secrets[2] ?? '');
    const secret = ['--secret', `id=mounted,src=${join(store.work, '../mounted')}`];
    const token = (at: number): string => `NPM_TOKEN=${secrets[at]}`;
    await build(store, '--build-arg', token(0), ...secret);
    const version = ['--build-arg', 'VERSION=2'];
    const { stderr } = await build(store, ...version, '--build-arg', token(0), ...secret);
    assert.match(stderr, /miss: ARG VERSION changed$/m);
    assert.match(await text(store), /RUN echo "\$VERSION" > \/version\n +ARG VERSION changed: "1" -> "2"$/m);
    await build(store, ...version, '--build-arg', token(1), ...secret);
    const said = await text(store);
    assert.match(said, /^2 hit .* RUN echo "\$VERSION" > \/version$/m);
    assert.match(said, /ARG NPM_TOKEN changed \(not shown\)/);
    const shown = [said, await text(store, '3'), JSON.stringify(await json(store))].join('\n');
    const needles = secrets.flatMap((bytes, at) => formsOf(`secret ${at}`, Buffer.from(bytes)));
    assert.deepEqual(foundIn('what is said', Buffer.from(shown), needles), []);
    // An ARG stands in the image's history, as Docker has it; a mounted secret stands nowhere, and neither of them on record.
    for (const name of ['strake.db', 'strake.db-wal'])
      assert.deepEqual(foundIn(name, bytesOf(join(store.root, name)), needles), []);
    assert.deepEqual(foundBelow(store.root, formsOf('mounted', Buffer.from(secrets[2] ?? ''))).found, []);
  });

  test('an evicted entry, --no-cache, a new step, a failed build, a hit in a cache elsewhere, and who is meant', async () => {
    using store = emptyStore();
    const dockerfile = (...steps: string[]): void =>
      write(store, { Dockerfile: [`FROM ${shell} AS made`, ...steps, ''].join('\n') });
    const whys = async (s = store): Promise<unknown> =>
      Object.fromEntries(
        (await json(s)).steps.map((step) => [step.instruction, [step.outcome, step.causes[0]?.['kind']]]),
      );
    dockerfile('RUN echo a > /a');
    await build(store);
    await ok(['prune', '--all'], { root: store.root });
    const { stderr } = await build(store);
    assert.match(stderr, /miss: its entry was evicted$/m);
    assert.deepEqual(await whys(), {
      [`FROM ${shell} AS made`]: ['source', undefined],
      'RUN echo a > /a': ['ran', 'evicted'],
    });
    assert.match(await text(store), /evicted: its entry was there, and was pruned/);
    await build(store, '--no-cache');
    assert.match(await text(store, '2'), /--no-cache/);
    dockerfile('RUN echo a > /a', 'RUN exit 3');
    assert.equal((await strake(['build', '.'], { root: store.root, cwd: store.work })).code === 0, false);
    assert.deepEqual(await whys(), {
      [`FROM ${shell} AS made`]: ['source', undefined],
      'RUN echo a > /a': ['hit', undefined],
      'RUN exit 3': ['failed', 'new'],
    });
    assert.match(await text(store), /: failed .* after \d/);

    dockerfile('RUN echo a > /a');
    const cache = join(store.work, '../cache');
    await build(store, '--cache-to', `type=local,dest=${cache}`);
    using other = emptyStore();
    writeFileSync(join(other.work, 'Dockerfile'), readFileSync(join(store.work, 'Dockerfile')));
    await build(other, '--cache-from', `type=local,src=${cache}`);
    assert.match(await text(other), /^2 hit .* RUN echo a > \/a\n +from .*cache/m);
    rmSync(cache, { recursive: true });

    const none = await strake(['explain', '--target', 'nope'], { root: store.root, cwd: store.work });
    assert.match(
      none.stderr,
      /^error: explain the last build of target "nope": none is on record\nhelp: On record are/,
    );
    assert.notEqual(none.code, 0);
    const unknown = await strake(['explain', '9'], { root: store.root, cwd: store.work });
    assert.match(unknown.stderr, /has no such step\nhelp: Give a number from 1 to 2\./);
    using empty = emptyStore();
    const early = await strake(['explain'], { root: empty.root });
    assert.match(early.stderr, /^error: explain the last build: none is on record\nhelp: Build first/);
  });

  test('the moved base tag, in a registry', { skip: lacking('docker-registry') }, async () => {
    using folder = scratchFolder();
    await using registry = await dockerRegistry(folder.path);
    const name = `${registry.host}/base:stable`;
    using theirs = emptyStore();
    const push = async (content: string): Promise<string> => {
      write(theirs, { Dockerfile: `FROM ${shell}\nRUN echo ${content} > /content\n` });
      const { stdout } = await ok(['build', '-t', name, '--push', '.'], { root: theirs.root, cwd: theirs.work });
      return /@(sha256:[0-9a-f]{64})/.exec(stdout)?.[1] ?? assert.fail(stdout);
    };
    using mine = emptyStore();
    write(mine, { Dockerfile: `FROM ${name} AS base\nRUN echo mine > /mine\nFROM base\nCOPY Dockerfile /\n` });
    const old = await push('one');
    await build(mine, '--pull');
    const moved = await push('two');
    await build(mine, '--pull');
    const [from, run, copy] = (await json(mine)).steps;
    assert.deepEqual(
      [from?.outcome, from?.causes.map(({ kind, name: part, before: was, after: now }) => [kind, part, was, now])],
      [
        'source',
        [
          [
            'part',
            'image',
            { ...(from?.causes[0]?.['before'] as object), value: `${name}@${old}` },
            { ...(from?.causes[0]?.['after'] as object), value: `${name}@${moved}` },
          ],
        ],
      ],
    );
    assert.deepEqual([run?.causes[0]?.['step'], copy?.causes[0]?.['step']], [1, 1]);
    const said = await text(mine);
    const digests = `${old.slice(7, 19)} -> ${moved.slice(7, 19)}`;
    assert.ok(said.replaceAll(/\n +/g, ' ').includes(`the base moved: ${name} ${digests}`), said);
    assert.match(said, /^2 miss .*\n +because step 1 changed$/m);
  });
});

function bytesOf(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch {
    return new Uint8Array();
  }
}
