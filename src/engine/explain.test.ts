import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Database } from '../base/index.ts';
import { registryOf } from '../registry/testing/world.ts';
import { EngineRig, type BuildOptions, type Built, type Files } from './engine-rig.suite.ts';
import type { ExplainedBuild } from './index.ts';

const project = { context: '/app' };

/** A build of the project, and what is on record of it. */
async function explained(
  rig: EngineRig,
  files: Files,
  o: BuildOptions = {},
): Promise<{ readonly built: Built; readonly build: ExplainedBuild; readonly why: Record<string, unknown> }> {
  const built = await rig.build(files, { project, ...o });
  const [latest] = await rig.engine.builds.list();
  const build = latest && (await rig.engine.builds.explain(latest.id));
  if (!build) throw new Error('no build is on record', { cause: built.error });
  return { built, build, why: Object.fromEntries(build.steps.map((step) => [step.text, told(step)])) };
}

/** The outcome, and each cause in a line. */
function told({ outcome, causes }: ExplainedBuild['steps'][number]): unknown {
  const lines = causes.map((cause) => {
    switch (cause.kind) {
      case 'files':
        return `files: ${cause.paths.map(({ path, change }) => `${path} ${change}`).join(', ')}`;
      case 'variable':
        return `${cause.from} ${cause.name}: ${cause.before?.value} -> ${cause.after?.value}`;
      case 'part':
        return `${cause.name}: ${cause.before?.value} -> ${cause.after?.value}`;
      case 'instruction':
        return `instruction: ${cause.before} -> ${cause.after}`;
      case 'follows':
        return `follows ${cause.number}`;
      case 'unfinished':
        return `unfinished: ${cause.outcome}`;
      case 'evicted':
        return cause.lost ? 'lost' : 'evicted';
      default:
        return cause.kind;
    }
  });
  return lines.length === 0 ? outcome : [outcome, ...lines];
}

const DOCKERFILE = `FROM scratch AS build
ARG VERSION=1
COPY src /src
RUN write /out one
RUN write /other two
FROM scratch
WORKDIR /app
COPY --from=build /src/a.js /a.js
COPY b.js /b.js
`;

const FILES = { Dockerfile: DOCKERFILE, 'src/a.js': 'a', 'src/c.js': 'c', 'b.js': 'b' };
const MISS = {
  'COPY src /src': 'ran',
  'RUN write /out one': 'ran',
  'RUN write /other two': 'ran',
  'WORKDIR /app': 'ran',
  'COPY --from=build /src/a.js /a.js': 'ran',
  'COPY b.js /b.js': 'ran',
};

const each = (value: (outcome: string) => unknown): Record<string, unknown> =>
  Object.fromEntries(Object.entries(MISS).map(([step, outcome]) => [step, value(outcome)]));

test('a first build, the same again, one file changed, a file that nobody reads', async () => {
  await using rig = await EngineRig.open();
  const first = await explained(rig, FILES);
  assert.deepEqual(
    first.why,
    each((outcome) => [outcome, 'first']),
  );
  const again = await explained(rig, FILES);
  assert.deepEqual(
    again.why,
    each(() => 'hit'),
  );
  assert.equal(again.build.previous, first.build.id);
  const third = await explained(rig, FILES);
  assert.deepEqual(third.why, again.why);
  assert.deepEqual(
    [third.build.id, (await rig.engine.builds.list()).length],
    [again.build.id, 2],
    'it takes the place of the one before',
  );

  const changed = await explained(rig, { ...FILES, 'src/a.js': 'changed' });
  assert.deepEqual(changed.why, {
    'COPY src /src': ['ran', 'files: src/a.js changed'],
    'RUN write /out one': ['ran', 'follows 1'],
    'RUN write /other two': ['ran', 'follows 1'],
    'WORKDIR /app': 'hit',
    'COPY --from=build /src/a.js /a.js': ['ran', 'follows 1', 'files: src/a.js changed'],
    'COPY b.js /b.js': ['ran', 'follows 1'],
  });
  const cause = changed.build.steps[0]?.causes[0];
  assert.ok(cause?.kind === 'files');
  const [path] = cause.paths;
  assert.match(path?.before?.digest ?? '', /^sha256:[0-9a-f]{64}$/);
  assert.notEqual(path?.before?.digest, path?.after?.digest);
  const live = changed.built.events.flatMap((event) =>
    event.kind === 'started' && event.miss ? [event.miss[0]?.kind] : [],
  );
  assert.deepEqual(
    live.map(String).toSorted((a, b) => (a < b ? -1 : 1)),
    ['files', 'follows', 'follows', 'follows', 'follows'],
  );

  const unread = await explained(rig, { ...FILES, 'src/a.js': 'changed', 'unread.txt': 'x' });
  assert.deepEqual(
    unread.why,
    each(() => 'hit'),
  );
});

test('files added and removed; a copy of what did not change of a stage that did', async () => {
  await using rig = await EngineRig.open();
  await explained(rig, FILES);
  const { 'src/c.js': _, ...rest } = FILES;
  const { why } = await explained(rig, { ...rest, 'src/d.js': 'd' });
  assert.deepEqual(why, {
    'COPY src /src': ['ran', 'files: src/c.js removed, src/d.js added'],
    'RUN write /out one': ['ran', 'follows 1'],
    'RUN write /other two': ['ran', 'follows 1'],
    'WORKDIR /app': 'hit',
    'COPY --from=build /src/a.js /a.js': 'hit',
    'COPY b.js /b.js': 'hit',
  });
});

const ARGS = `FROM scratch
ARG VERSION=1
ARG API_TOKEN
ENV MODE=$VERSION
RUN write /out one
COPY file /$VERSION/
`;

test('an ARG, an ENV made of it, one that looks like a secret: named, and only what may be seen shown', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: ARGS, file: 'x' };
  const secret = 'correct-horse-battery';
  const build = (version: string, token: string) =>
    explained(rig, files, { options: { 'build-arg:VERSION': version, 'build-arg:API_TOKEN': token } });
  await build('1', `${secret}-1`);
  assert.deepEqual((await build('2', `${secret}-1`)).why, {
    'RUN write /out one': ['ran', 'ARG VERSION: 1 -> 2', 'ENV MODE: 1 -> 2'],
    'COPY file /$VERSION/': ['ran', 'ARG VERSION: 1 -> 2', 'follows 1'],
  });
  assert.deepEqual((await build('2', `${secret}-2`)).why, {
    'RUN write /out one': ['ran', 'ARG API_TOKEN: undefined -> undefined'],
    'COPY file /$VERSION/': ['ran', 'follows 1'],
  });
  assert.ok(!databaseText(rig).includes(secret));
});

/** All that the store's tables of builds hold. */
function databaseText(rig: EngineRig): string {
  using db = Database.open(`${rig.root}/strake.db`);
  const rows = [...db.all('SELECT * FROM builds'), ...db.all('SELECT name, data FROM build_pieces')];
  return rows
    .map((row) =>
      Object.values(row)
        .map((value) => (value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : JSON.stringify(value)))
        .join(' '),
    )
    .join('\n');
}

test('another instruction, a new one, another here-document, --no-cache, another setting', async () => {
  await using rig = await EngineRig.open();
  const build = async (steps: string, o?: BuildOptions): Promise<unknown> =>
    (await explained(rig, { Dockerfile: `FROM scratch\n${steps}` }, o)).why;
  await build('RUN write /a one\nRUN write /b two\n');
  assert.deepEqual(await build('RUN write /a other\nRUN write /b two\n'), {
    'RUN write /a other': ['ran', 'instruction: RUN write /a one -> RUN write /a other'],
    'RUN write /b two': ['ran', 'follows 1'],
  });
  assert.deepEqual(await build('RUN write /a other\nRUN write /new x\nRUN write /b two\n'), {
    'RUN write /a other': 'hit',
    'RUN write /new x': ['ran', 'new'],
    'RUN write /b two': ['ran', 'follows 2'],
  });
  const options = { 'no-cache': '' };
  assert.deepEqual(await build('RUN write /a other\n', { options }), { 'RUN write /a other': ['ran', 'ignored'] });
  assert.deepEqual(await build('RUN write /a other\n'), { 'RUN write /a other': 'hit' });
  await build('RUN <<E\nwrite /a 1\nE\n');
  assert.deepEqual(await build('RUN <<E\nwrite /a 2\nE\n'), {
    'RUN <<E': ['ran', 'command: undefined -> undefined'],
  });
  assert.deepEqual(await build('RUN <<E\nwrite /a 2\nE\n', { options: { 'add-hosts': 'a=127.0.0.2' } }), {
    'RUN <<E': ['ran', 'hosts: undefined -> [{"host":"a","ip":"127.0.0.2"}]'],
  });
});

test('a base tag that moved is told by both digests, and what follows it', async () => {
  await using registry = await registryOf();
  const name = `${registry.server.host}/base:1`;
  const push = async (content: string): Promise<string> => {
    await using maker = await EngineRig.open();
    await maker.build({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: content }, { names: ['base'] });
    return (await maker.engine.images.push('base', name, { host: { credentials: async () => undefined } })).digest;
  };
  await using rig = await EngineRig.open();
  const files = { Dockerfile: `FROM ${name} AS deps\nRUN write /x 1\n` };
  const options = { 'image-resolve-mode': 'pull' };
  const old = await push('one');
  const first = await explained(rig, files, { options });
  assert.deepEqual(first.why[`FROM ${name} AS deps`], ['source', 'first']);
  const moved = await push('two');
  assert.deepEqual((await explained(rig, files, { options })).why, {
    [`FROM ${name} AS deps`]: ['source', `image: ${name}@${old} -> ${name}@${moved}`],
    'RUN write /x 1': ['ran', 'follows 1'],
  });
  assert.deepEqual((await explained(rig, files, { options })).why, {
    [`FROM ${name} AS deps`]: 'source',
    'RUN write /x 1': 'hit',
  });
});

test('an ARG that names the base', async () => {
  await using registry = await registryOf();
  const { host } = registry.server;
  for (const tag of ['1', '2']) {
    await using maker = await EngineRig.open();
    await maker.build({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: tag }, { names: ['base'] });
    await maker.engine.images.push('base', `${host}/base:${tag}`, { host: { credentials: async () => undefined } });
  }
  await using rig = await EngineRig.open();
  const files = { Dockerfile: `ARG TAG=1\nFROM ${host}/base:$TAG\nRUN write /x 1\n` };
  await explained(rig, files);
  const { why } = await explained(rig, files, { options: { 'build-arg:TAG': '2' } });
  const [from, run] = Object.values(why) as string[][];
  assert.deepEqual(from?.slice(0, 2), ['source', 'ARG TAG: 1 -> 2']);
  assert.match(from?.[2] ?? '', /^image: [^ ]+\/base:1@sha256:\w+ -> [^ ]+\/base:2@sha256:\w+$/);
  assert.deepEqual(run, ['ran', 'follows 1']);
});

test('an entry that was evicted, one whose bytes are gone, a build that failed before it came so far', async () => {
  await using rig = await EngineRig.open();
  const files = { Dockerfile: 'FROM scratch\nRUN write /a 1\nRUN write /b 2\n' };
  await explained(rig, files);
  await rig.engine.store.prune({ all: true });
  assert.deepEqual((await explained(rig, files)).why, {
    'RUN write /a 1': ['ran', 'evicted'],
    'RUN write /b 2': ['ran', 'evicted'],
  });
  rmSync(join(rig.root, 'blobs'), { recursive: true });
  const { build } = await explained(rig, files);
  assert.deepEqual(
    build.steps.flatMap(({ causes }) => causes),
    [
      { kind: 'evicted', lost: true },
      { kind: 'evicted', lost: true },
    ],
  );
  const failing = { Dockerfile: 'FROM scratch\nRUN write /a 1\nRUN exit 3\nRUN write /b 2\n' };
  const failed = await explained(rig, failing);
  assert.equal(failed.build.outcome, 'failed');
  assert.deepEqual(failed.why, {
    'RUN write /a 1': 'hit',
    'RUN exit 3': ['failed', 'new'],
    'RUN write /b 2': ['not reached', 'follows 2'],
  });
  const again = await explained(rig, failing);
  assert.deepEqual(again.why['RUN exit 3'], ['failed', 'unfinished: failed']);
  assert.deepEqual(again.why['RUN write /b 2'], ['not reached', 'unfinished: not reached']);
});

test('what is on record is bounded and goes with prune; a project is compared with itself alone', async () => {
  await using rig = await EngineRig.open();
  const files = (content: string): Files => ({ Dockerfile: 'FROM scratch\nCOPY f /f\n', f: content });
  for (const content of ['1', '2', '3', '4', '5']) await explained(rig, files(content));
  assert.equal((await rig.engine.builds.list()).length, 3);
  const other = await explained(rig, files('5'), { project: { context: '/other' } });
  assert.deepEqual(other.why, { 'COPY f /f': 'hit' });
  assert.equal(other.build.previous, undefined);
  const count = (): number => {
    using db = Database.open(`${rig.root}/strake.db`);
    return Number(db.get("SELECT count(*) AS n FROM build_pieces WHERE name LIKE 'list %'")?.['n']);
  };
  assert.equal(count(), 3);
  await rig.engine.store.prune({ all: true });
  assert.deepEqual([(await rig.engine.builds.list()).length, count()], [2, 1], 'the last one of each stays');
  rig.clock.advance(40 * 24 * 3_600_000);
  await rig.engine.store.prune({});
  assert.deepEqual([(await rig.engine.builds.list()).length, count()], [0, 0]);
});

test('every path of a long list is told', async () => {
  await using rig = await EngineRig.open();
  const files = (content: string): Files => ({
    Dockerfile: 'FROM scratch\nCOPY . /f\n',
    ...Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`dir/f${i}`, `${i} ${i % 2 === 0 ? content : ''}`])),
  });
  await explained(rig, files('a'));
  const { build } = await explained(rig, files('b'));
  const cause = build.steps[0]?.causes[0];
  assert.ok(cause?.kind === 'files');
  assert.deepEqual([cause.changed, cause.added, cause.removed, cause.paths.length], [150, 0, 0, 150]);
});

test('whatever changes in a context: exactly that is told', async () => {
  await using rig = await EngineRig.open();
  const name = fc.constantFrom('a', 'b', 'dir/a', 'dir/b', 'dir/sub/c', 'ignored/x');
  const content = fc.constantFrom('1', '2', '3');
  const edits = fc.array(fc.tuple(name, fc.option(content)), { minLength: 1, maxLength: 3 });
  let files: Readonly<Record<string, string>> = { a: '1', 'dir/a': '1' };
  const Dockerfile = 'FROM scratch\nCOPY . /all\nCOPY di[r] /dir\n';
  const changesIn = (before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>): string[] =>
    [...new Set([...Object.keys(before), ...Object.keys(after)])]
      .filter((path) => !path.startsWith('ignored/') && before[path] !== after[path])
      .map(
        (path) => `${path} ${before[path] === undefined ? 'added' : after[path] === undefined ? 'removed' : 'changed'}`,
      )
      .toSorted((x, y) => (x < y ? -1 : 1));
  const build = (context: Readonly<Record<string, string>>): Promise<{ readonly build: ExplainedBuild }> =>
    explained(rig, { Dockerfile, '.dockerignore': 'ignored\nDockerfile\n.dockerignore\n', 'dir/kept': '', ...context });
  await build(files);
  await fc.assert(
    fc.asyncProperty(edits, async (changes) => {
      const before = files;
      const after = new Map(Object.entries(files));
      for (const [path, text] of changes)
        if (text === null) after.delete(path);
        else after.set(path, text);
      files = Object.fromEntries(after);
      const { build: told } = await build(files);
      const expected = changesIn(before, files);
      for (const [at, under] of [
        [0, ''],
        [1, 'dir/'],
      ] as const) {
        const paths = told.steps[at]?.causes.flatMap((cause) => (cause.kind === 'files' ? cause.paths : [])) ?? [];
        // Folders come and go with what is in them.
        const leaves = paths.filter(({ before: old, after: now }) => (now ?? old)?.digest !== undefined);
        assert.deepEqual(
          leaves.map(({ path, change }) => `${path} ${change}`),
          expected.filter((each) => each.startsWith(under)),
        );
      }
    }),
    { numRuns: 12 },
  );
});
