import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, type SourcePlace } from '../../base/index.ts';
import { sourceState } from '../../graph/index.ts';
import { amd64, FakeHost, planText } from './fake-host.suite.ts';
import { readOptions } from './options.ts';
import { dockerfileFrontend } from './plan.ts';
import { detectSyntax } from './syntax.ts';
import { SourceText } from './text.ts';

type Given = Parameters<typeof planText>[1];

/** Asserts how `text` is refused. Each refusal has a remedy. */
async function refused(
  text: string | Uint8Array,
  wanted: { readonly code: string; readonly words: RegExp; readonly line?: number | undefined; readonly kind?: string },
  o: Given = {},
): Promise<SourcePlace | undefined> {
  let place: SourcePlace | undefined;
  await assert.rejects(planText(text, o), (error) => {
    assert.ok(error instanceof CodedError, error instanceof Error ? (error.stack ?? '') : String(error));
    assert.equal(error.code, wanted.code, error.message);
    assert.match(error.message, wanted.words);
    assert.equal(error.place?.line, wanted.line, error.message);
    if (wanted.kind !== undefined) assert.equal(error.kind, wanted.kind);
    assert.ok(error.remedy !== undefined || error.code.startsWith('FAKE'), `${error.message}: a remedy`);
    place = error.place;
    return true;
  });
  return place;
}

test('the Dockerfile is found under its name, or in lower case', async () => {
  const files = { dockerfile: { dockerfile: 'FROM scratch', 'x/Other': 'FROM scratch\nLABEL a=b' }, context: {} };
  assert.equal((await planText('', { world: { files } })).image.layers.length, 0);
  const other = await planText('', { world: { files }, options: { filename: 'x/Other' } });
  assert.deepEqual(other.image.config.config?.Labels, { a: 'b' });
  assert.deepEqual(other.host.solved[0]?.include, ['x/Other', 'x/Other.dockerignore']);
  await refused(
    '',
    { code: 'DOCKERFILE_NOT_FOUND', words: /"Nope": no such file/, kind: 'not_found' },
    { world: { files }, options: { filename: 'Nope' } },
  );
});

test('the context is asked for its ignore file only when something is copied from it', async () => {
  const names = async (text: string): Promise<readonly string[]> =>
    (await planText(text)).host.solved.map((source) => source.name);
  assert.deepEqual(await names('FROM debian\nRUN x'), ['dockerfile']);
  assert.deepEqual(await names('FROM debian\nADD a /a'), ['dockerfile', 'context']);
});

test('<Dockerfile>.dockerignore beats .dockerignore', async () => {
  const exclude = async (o: Given): Promise<readonly string[] | undefined> => {
    const { image } = await planText('FROM scratch\nCOPY . /', o);
    const op = image.root.edge?.vertex.inputs[1]?.vertex.op;
    return op?.kind === 'source' && op.source.type === 'local' ? op.source.exclude : undefined;
  };
  assert.deepEqual(await exclude({ ignore: '\ufeff# c\n /a/ \n\n #b\n!c/../d\n' }), ['a', '#b', '!d']);
  assert.deepEqual(await exclude({ ignore: 'a', files: { 'Dockerfile.dockerignore': 'b' } }), ['b']);
  assert.deepEqual(await exclude({ ignore: 'a', files: { 'Dockerfile.dockerignore': '' } }), undefined);
});

test('a wrong ignore pattern is named with its line', async () => {
  const words = /failed parsing \.dockerignore/;
  const place = await refused(
    'FROM scratch\nCOPY . /',
    { code: 'DOCKERFILE_IGNORE_FILE', words, line: 2 },
    { ignore: 'a\n!\nb' },
  );
  assert.deepEqual(place, { file: '.dockerignore', line: 2, text: '!' });
});

test('an input may be the context, and holds the Dockerfile then', async () => {
  const context = sourceState({ type: 'git', url: 'https://h/x' }, { name: 'git' });
  const { image } = await planText('', {
    world: {
      inputs: { context },
      files: { 'https://h/x': { Dockerfile: 'FROM scratch\nCOPY a /b', '.dockerignore': 'a' } },
    },
  });
  assert.equal(image.root.edge?.vertex.inputs[1]?.vertex.digest, context.edge?.vertex.digest);
});

test('docker/dockerfile is the built-in frontend; others are called', async () => {
  for (const name of [
    'docker/dockerfile',
    'docker/dockerfile:1.4-labs',
    'docker.io/docker/dockerfile:1',
    'docker/dockerfile-upstream:master',
    'docker/dockerfile@sha256:0',
    'dockerfile.v0',
  ])
    await planText(`# syntax=${name}\nFROM scratch`);
  const calledFor = async (text: string, options: Readonly<Record<string, string>> = {}): Promise<FakeHost> => {
    const host = new FakeHost({ files: { dockerfile: { Dockerfile: text }, context: {} } });
    await dockerfileFrontend({ options, platforms: [amd64], buildPlatform: amd64 }, host);
    return host;
  };
  const { called } = await calledFor('# syntax = example.org/front opt\nanything: at all', { target: 'x' });
  assert.equal(called[0]?.frontend, 'gateway');
  assert.deepEqual(called[0].request.options, {
    target: 'x',
    cmdline: 'example.org/front opt',
    source: 'example.org/front',
  });
  const arg = { 'build-arg:BUILDKIT_SYNTAX': 'example.org/front' };
  assert.equal(
    (await calledFor('# syntax=docker/dockerfile\nFROM scratch', arg)).called[0]?.request.options['source'],
    'example.org/front',
  );
  const asked = await calledFor('# syntax=example.org/front\nx', { requestid: 'frontend.lint' });
  assert.equal(asked.called[0]?.request.options['requestid'], 'frontend.lint');
  // Who was called by the directive does not call again.
  assert.deepEqual(
    (await calledFor('# syntax=example.org/front\nFROM scratch', { cmdline: 'example.org/front' })).called,
    [],
  );
  await refused('# syntax=example.org/broken\nFROM scratch', { code: 'FAKE_FRONTEND', words: /it is broken/, line: 1 });
  await refused(
    'FROM scratch',
    { code: 'FAKE_FRONTEND', words: /failed with BUILDKIT_SYNTAX = example\.org\/broken: it is broken/ },
    { options: { 'build-arg:BUILDKIT_SYNTAX': 'example.org/broken' } },
  );
});

test('a syntax is found in all its forms', () => {
  const found = (text: string): string | undefined => detectSyntax(new SourceText('x', text))?.reference;
  assert.equal(found('#syntax=a b'), 'a');
  assert.equal(found('#!/bin/x\n# syntax=a'), 'a');
  assert.equal(found('# escape=`\n# syntax=a'), 'a');
  assert.equal(found('// syntax=a\n{}'), 'a');
  assert.equal(found('{"syntax": "a"}'), 'a');
  assert.equal(found('# c\n# syntax=a'), undefined);
  assert.equal(found('FROM a\n# syntax=a'), undefined);
  assert.equal(found('{"syntax": 1}'), undefined);
  assert.equal(found('{'), undefined);
});

test('an empty file is refused', async () => {
  await refused('', { code: 'DOCKERFILE_EMPTY', words: /cannot be empty/ });
  await refused('# c', { code: 'DOCKERFILE_EMPTY', words: /file with no instructions/ });
});

test('bytes that are not UTF-8 may stand in comments only', async () => {
  await planText(Buffer.from('# caf\xe9\nFROM scratch', 'latin1'));
  await refused(Buffer.from('FROM scratch\nLABEL a=caf\xe9', 'latin1'), {
    code: 'DOCKERFILE_NOT_TEXT',
    words: /not UTF-8/,
    line: 2,
  });
  await refused(Buffer.from('FROM scratch\nCOPY <<E /a\n\xff\nE', 'latin1'), {
    code: 'DOCKERFILE_NOT_TEXT',
    words: /not UTF-8/,
    line: 2,
  });
});

/** Text, code, words, line. */
const REFUSED: readonly (readonly [string, string, RegExp, number?])[] = [
  ['FROM $none', 'DOCKERFILE_BASE_NAME', /base name \(\$none\) should not be blank/, 1],
  ['FROM debian:a:b', 'DOCKERFILE_BASE_NAME', /failed to parse stage name "debian:a:b": invalid reference format/, 1],
  ['FROM UPPER\nFROM scratch', 'DOCKERFILE_BASE_NAME', /failed to parse stage name "UPPER"/, 1],
  ['FROM ${x:?unset}', 'DOCKERFILE_EXPANSION', /failed to process "\$\{x:\?unset\}": x: unset/, 1],
  ['ARG a=${b\nFROM scratch', 'DOCKERFILE_EXPANSION', /missing '}'/, 1],
  ['FROM --platform=$none debian', 'DOCKERFILE_PLATFORM', /empty platform value from expression \$none/, 1],
  ['FROM --platform=$TARGETPLATFRM debian', 'DOCKERFILE_PLATFORM', /\(did you mean TARGETPLATFORM\?\)/, 1],
  ['FROM --platform=linux/amd64/v2/x debian', 'DOCKERFILE_PLATFORM', /failed to parse platform/, 1],
  ['FROM --platform=toaster debian', 'DOCKERFILE_PLATFORM', /failed to parse platform toaster/, 1],
  ['FROM scratch AS a\nCOPY --from=a x y', 'DOCKERFILE_CIRCULAR', /circular dependency detected on stage: a/, 2],
  [
    'FROM scratch AS a\nCOPY --from=b x y\nFROM scratch AS b\nCOPY --from=a x y',
    'DOCKERFILE_CIRCULAR',
    /circular dependency/,
    4,
  ],
  ['FROM scratch\nCOPY --from=later x y\nFROM scratch AS later', 'OK', /./],
  [
    'FROM scratch AS a\nCOPY --from=$x b c',
    'DOCKERFILE_EXPANSION',
    /variable expansion is not supported for --from/,
    2,
  ],
  ['FROM scratch\nCOPY --from=7 b c', 'DOCKERFILE_STAGE_NOT_FOUND', /invalid stage index 7/, 2],
  ['FROM scratch\nCOPY --from=-1 b c', 'DOCKERFILE_STAGE_NOT_FOUND', /invalid stage index -1/, 2],
  ['FROM scratch\nCOPY --from=Bad:: b c', 'DOCKERFILE_BASE_NAME', /failed to parse stage name "Bad::"/, 2],
  ['FROM scratch\nCOPY https://h/x /y', 'DOCKERFILE_INSTRUCTION', /source can't be a URL for COPY/, 2],
  ['FROM scratch\nCOPY git@h:x/y.git /y', 'DOCKERFILE_INSTRUCTION', /source can't be a git ref for COPY/, 2],
  [
    'FROM scratch\nADD --checksum=sha256:0 a /y',
    'DOCKERFILE_INSTRUCTION',
    /checksum requires HTTP\(S\) or Git sources/,
    2,
  ],
  [
    'FROM scratch\nADD --checksum=sha256:0 a b /y/',
    'DOCKERFILE_INSTRUCTION',
    /checksum can't be specified for multiple sources/,
    2,
  ],
  ['FROM scratch\nENV a=${b:?no-b}', 'DOCKERFILE_EXPANSION', /b: no-b/, 2],
  ["FROM scratch\nENV a='b", 'DOCKERFILE_EXPANSION', /matching single-quote/, 2],
  ['FROM scratch\nEXPOSE 80/http', 'DOCKERFILE_INSTRUCTION', /invalid proto: http/, 2],
  ['FROM scratch\nADD --checksum=sha256:0 https://h/x /y', 'DOCKERFILE_INSTRUCTION', /invalid checksum digest/, 2],
  ['FROM scratch\nADD https://h/x.git?nonsense=1 /y', 'GIT_ADDRESS_INVALID', /unexpected query "nonsense"/, 2],
  ['FROM scratch\nCOPY --link --chown=bin a /y', 'DOCKERFILE_INSTRUCTION', /invalid user index: -1/, 2],
  ['FROM debian\nRUN --mount=type=cache,target=/ x', 'DOCKERFILE_FLAG', /invalid mount target "\/"/, 2],
  ['FROM debian\nRUN --mount=type=bind x', 'DOCKERFILE_FLAG', /invalid mount target "\/"/, 2],
  ['FROM debian\nARG T=\nRUN --mount=type=$T,target=/a x', 'DOCKERFILE_FLAG', /unsupported mount type ""/, 3],
  ['FROM debian\nRUN --mount=type=ssh,source=/a x', 'DOCKERFILE_FLAG', /ssh does not support source/, 2],
  ['FROM debian\nRUN --device=a x', 'DOCKERFILE_NOT_SUPPORTED_YET', /RUN --device/, 2],
  ['FROM scratch\nCOPY --link=false a /y', 'OK', /./],
  ['FROM debian\nRUN --device=a x\nFROM scratch', 'OK', /./],
];

test('each fault has its code, place, words and remedy', async () => {
  for (const [text, code, words, line] of REFUSED)
    if (code === 'OK') await planText(text, { options: text.includes('later') ? { target: 'later' } : {} });
    else await refused(text, { code, words, line });
});

test('a stage that comes later cannot be copied from', async () => {
  const words = /cannot copy from stage "later", it needs to be defined before current stage "one"/;
  const text = 'FROM scratch AS one\nCOPY --from=later x y\nFROM scratch AS later';
  await refused(text, { code: 'DOCKERFILE_STAGE_ORDER', words, line: 2 }, { options: { target: 'one' } });
});

test('what is not there is said with a near name', async () => {
  await refused('FROM debain', {
    code: 'FAKE_NOT_FOUND',
    words: /docker\.io\/library\/debain:latest: not found \(did you mean debian\?\)/,
    line: 1,
    kind: 'not_found',
  });
  await refused('FROM scratch AS build\nFROM scratch\nCOPY --from=biuld a b', {
    code: 'FAKE_NOT_FOUND',
    words: /\(did you mean build\?\)/,
    line: 3,
  });
  const words = /target stage "fianl" could not be found \(did you mean final\?\)/;
  await refused(
    'FROM scratch AS final',
    { code: 'DOCKERFILE_STAGE_NOT_FOUND', words, kind: 'not_found' },
    { options: { target: 'fianl' } },
  );
});

test('refusals come before anything is pulled', async () => {
  await refused('FROM nowhere\nRUN --device=x y', {
    code: 'DOCKERFILE_NOT_SUPPORTED_YET',
    words: /RUN --device/,
    line: 2,
  });
});

test('a stage that comes later cannot be mounted', async () => {
  const words = /cannot mount from stage "later", stage needs to be defined before current command/;
  const text = 'FROM debian AS one\nRUN --mount=from=later,target=/x y\nFROM scratch AS later';
  await refused(text, { code: 'DOCKERFILE_STAGE_ORDER', words, line: 2 }, { options: { target: 'one' } });
});

test('stages that mount each other go in a circle', async () => {
  const text = 'FROM debian AS a\nRUN --mount=from=b,target=/x y\nFROM debian AS b\nRUN --mount=from=a,target=/x y';
  await refused(text, { code: 'DOCKERFILE_CIRCULAR', words: /circular dependency detected on stage: /, line: 4 });
});

/** Option, value, words. */
const OPTIONS: readonly (readonly [string, string, RegExp])[] = [
  ['add-hosts', 'a', /invalid key-value pair a/],
  ['add-hosts', 'a=b', /failed to parse IP b/],
  ['add-hosts', '"a', /failed to parse/],
  ['force-network-mode', 'bridge', /invalid netmode bridge/],
  ['shm-size', '1g', /is not a number of bytes/],
  ['ulimit', 'nofile', /invalid ulimit argument/],
  ['ulimit', 'files=1', /invalid ulimit type: files/],
  ['ulimit', 'nofile=2:1', /must be less than or equal/],
  ['ulimit', 'nofile=x', /not a number/],
  ['image-resolve-mode', 'never', /invalid image-resolve-mode/],
  ['memory', '0', /invalid memory value: 0: must be > 0/],
  ['memory', '1g', /invalid memory value: 1g/],
  ['memswap', '-2', /must be -1 \(unlimited\) or > 0/],
  ['cpushares', '0', /must be > 0/],
  ['cpuperiod', 'x', /must be > 0/],
  ['cpuquota', '-1', /must be > 0/],
  ['cpusetcpus', '1-', /must be a list/],
  ['cpusetmems', 'a', /must be a list/],
  ['multi-platform', 'maybe', /invalid boolean value for multi-platform: maybe/],
];

test('wrong options are named', () => {
  for (const [option, value, words] of OPTIONS)
    assert.throws(
      () => readOptions({ options: { [option]: value }, platforms: [], buildPlatform: amd64 }),
      (error) =>
        error instanceof CodedError &&
        error.code === 'DOCKERFILE_OPTION' &&
        words.test(error.message) &&
        error.remedy !== undefined,
      option,
    );
});

test('wrong named contexts are named', async () => {
  for (const value of ['nonsense', 'ftp://x', 'oci-layout://store', 'input:none', 'git@'])
    await refused('FROM x', { code: 'DOCKERFILE_CONTEXT', words: /x/, line: 1 }, { options: { 'context:x': value } });
});
