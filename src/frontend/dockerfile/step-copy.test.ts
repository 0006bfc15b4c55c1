import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '../../blob/index.ts';
import type { CopyAction, FileOp, LocalSource, SourceOp } from '../../graph/index.ts';
import { history, planText, type Planned } from './fake-host.suite.ts';

const plan = (text: string, o: Parameters<typeof planText>[1] = {}): Promise<Planned> =>
  planText(`FROM debian\n${text}`, o);
const last = ({ image }: Planned): FileOp => image.root.edge?.vertex.op as FileOp;
const actions = async (text: string): Promise<readonly CopyAction[]> =>
  last(await plan(text)).actions as readonly CopyAction[];
const inputs = ({ image }: Planned): readonly unknown[] =>
  (image.root.edge?.vertex.inputs ?? [])
    .slice(1)
    .map(({ vertex }) => JSON.parse(JSON.stringify((vertex.op as SourceOp).source)));

test('--exclude, --unpack and symbolic modes are handed on', async () => {
  const [copied] = await actions('COPY --exclude=*.md --exclude=!a.md --chmod=go-w,a+X x /y');
  assert.deepEqual(copied?.exclude, ['*.md', '!a.md']);
  assert.equal(copied?.mode, 'go-w,a+X');
  assert.equal((await actions('ADD --unpack=false x.tar /y'))[0]?.unpack, false);
  assert.equal((await actions('ADD x.tar /y'))[0]?.unpack, true);
  assert.equal((await actions('COPY x.tar /y'))[0]?.unpack, false);
});

test('--parents keeps the pivot and asks for no more than is before "**"', async () => {
  const planned = await plan('COPY --parents a/b/./c/../d /x/./**/e* ../f /y/');
  const [copied] = last(planned).actions as readonly CopyAction[];
  assert.equal(copied?.parents, true);
  assert.deepEqual(copied?.sources, ['/a/b/./d', '/x/./**/e*', '/f']);
  const local = planned.image.root.edge?.vertex.inputs[1]?.vertex.op as SourceOp;
  assert.deepEqual((local.source as LocalSource).include, ['a/b/d', 'f', 'x']);
  assert.deepEqual(history(planned), ['COPY --parents a/b/./c/../d /x/./**/e* ../f /y/ # buildkit']);
});

test('--link copies onto nothing and merges', async () => {
  const planned = await plan('RUN x\nCOPY --link --chown=1 a /b');
  const top = planned.image.root.edge?.vertex;
  assert.equal(top?.op.kind, 'merge');
  assert.deepEqual(
    top?.inputs.map(({ vertex }) => vertex.op.kind),
    ['exec', 'file'],
  );
  const copied = top?.inputs[1]?.vertex;
  assert.equal(copied?.inputs[0]?.vertex.op.kind === 'source' && copied.inputs[0].vertex.op.source.type, 'scratch');
  assert.equal((copied?.op as FileOp | undefined)?.actions[0]?.kind, 'copy');
  assert.equal(top?.label.name, '[3/3] LINK COPY --link --chown=1 a /b');
  assert.equal(copied?.label.name, '[3/3] COPY --link --chown=1 a /b');
  assert.deepEqual(history(planned).at(-1), 'COPY --chown=1 a /b # buildkit');
  assert.equal(planned.image.layers.length, 3);
});

test('what a linked copy is does not depend on what is below it', async () => {
  const copy = async (text: string): Promise<string | undefined> =>
    (await plan(text)).image.root.edge?.vertex.inputs[1]?.vertex.digest;
  assert.equal(await copy('RUN a\nCOPY --link x /y'), await copy('RUN b\nCOPY --link x /y'));
});

test('--link with a mode is an ordinary copy, and onto scratch a copy alone', async () => {
  assert.equal(last(await plan('COPY --link --chmod=644 a /b')).kind, 'file');
  const alone = await planText('FROM scratch\nCOPY --link a /b');
  assert.equal(alone.image.root.edge?.vertex.op.kind, 'file');
});

test('ADD of addresses: name, checksum, unpacking', async () => {
  const sum = digestOf('x');
  const planned = await plan(`ADD --checksum=${sum} --chown=1:2 https://h/a/b%20c.tgz?x=1 /d/`);
  assert.deepEqual(inputs(planned), [
    { type: 'http', url: 'https://h/a/b%20c.tgz?x=1', filename: 'b c.tgz', checksum: sum },
  ]);
  const [copied] = last(planned).actions as readonly CopyAction[];
  assert.deepEqual(JSON.parse(JSON.stringify(copied)), {
    kind: 'copy',
    from: { input: 1 },
    sources: ['/b c.tgz'],
    destination: '/d/',
    wildcard: false,
    owner: { user: 1, group: 2 },
    parents: false,
    unpack: false,
    followDestination: true,
  });
  assert.equal((await actions('ADD --unpack http://h/a /b'))[0]?.unpack, true);
  for (const [url, name] of [
    ['https://h', '__unnamed__'],
    ['https://h/', '__unnamed__'],
    ['https://h/a/', 'a'],
    ['https://h/a/..', '__unnamed__'],
    ['https://h/%2e%2e', '__unnamed__'],
    ['https://h/a%2fb', '__unnamed__'],
    ['https://h/a#b', 'a'],
  ] as const)
    assert.equal((inputs(await plan(`ADD ${url} /x`))[0] as { filename: string }).filename, name, url);
});

test('ADD of repositories', async () => {
  const planned = await plan(
    'ARG V=v1\nADD --keep-git-dir --checksum=0123 https://h/x.git#$V:d git@h:y.git?keep-git-dir /src/'.replace(
      ' --checksum=0123',
      '',
    ),
  );
  assert.deepEqual(inputs(planned), [
    { type: 'git', url: 'https://h/x.git', ref: 'v1', subdir: 'd', keepGitDir: true },
    { type: 'git', url: 'git@h:y.git', keepGitDir: true },
  ]);
  assert.deepEqual(
    (last(planned).actions as readonly CopyAction[]).map(({ sources, unpack }) => ({ sources, unpack })),
    [
      { sources: ['/'], unpack: false },
      { sources: ['/'], unpack: false },
    ],
  );
  assert.deepEqual(inputs(await plan('ADD --checksum=0123 https://h/x.git /y')), [
    { type: 'git', url: 'https://h/x.git', checksum: '0123' },
  ]);
});

test('flags and address must agree', async () => {
  for (const [text, words] of [
    ['ADD --keep-git-dir=false https://h/x.git?keep-git-dir=true /y', /inconsistent keep-git-dir configuration/],
    ['ADD --checksum=1 https://h/x.git?checksum=2 /y', /checksum mismatch "1" != "2"/],
    ['ADD --checksum=sha256:1 a /y', /checksum requires HTTP\(S\) or Git sources/],
    ['COPY https://h/x /y', /source can't be a URL for COPY/],
    ['COPY https://h/x.git /y', /source can't be a git ref for COPY/],
  ] as const)
    await assert.rejects(plan(text), { code: 'DOCKERFILE_INSTRUCTION', message: words }, text);
});

test('paths, addresses and inline files keep their order', async () => {
  const planned = await plan('ADD a b https://h/c d <<e /f/\n1\ne');
  const from = (last(planned).actions as readonly CopyAction[]).map((action) => [
    'input' in action.from ? action.from.input : 'text',
    ...action.sources,
  ]);
  assert.deepEqual(from, [
    [1, '/a', '/b'],
    [2, '/c'],
    [1, '/d'],
    ['text', '/e'],
  ]);
  assert.deepEqual(history(planned), ['ADD a b https://h/c d <<e /f/ # buildkit']);
});
