import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError } from '../../base/index.ts';
import type { SourceOp } from '../../graph/index.ts';
import { excerpt } from './excerpt.ts';
import { amd64, FakeHost, imageConfig } from './fake-host.suite.ts';
import { dockerfileFrontend } from './plan.ts';

interface Answer {
  readonly json: unknown;
  readonly text: string;
  readonly status: string | undefined;
  readonly host: FakeHost;
}

async function ask(
  request: string,
  text: string,
  options: Readonly<Record<string, string>> = {},
  Host: typeof FakeHost = FakeHost,
): Promise<Answer> {
  const images = { 'docker.io/library/debian:latest': imageConfig({ Env: ['FROM_BASE=1'] }) };
  const host = new Host({ images, files: { dockerfile: { Dockerfile: text }, context: {} } });
  const plan = await dockerfileFrontend(
    { options: { requestid: request, ...options }, platforms: [amd64], buildPlatform: amd64 },
    host,
  );
  assert.equal(plan.results.size, 0);
  const get = (key: string): string | undefined => {
    const found = plan.metadata.get(key);
    return found === undefined ? undefined : Buffer.from(found).toString();
  };
  assert.equal(get('version'), '1.0.0');
  return {
    json: JSON.parse(get('result.json') ?? ''),
    text: get('result.txt') ?? '',
    status: get('result.statuscode'),
    host,
  };
}

const at = (line: number, endLine = line): object => ({ ranges: [{ start: { line }, end: { line: endLine } }] });
const page = (rule: string): string => `https://docs.docker.com/go/dockerfile/rule/${rule}/`;

test('lint: the remarks on all stages, none of them told as a warning of a build', async () => {
  const text = 'FROM debian as a\nMAINTAINER me\nFROM scratch\nENV b=$FROM_BASE\n';
  const { json, text: shown, status, host } = await ask('frontend.lint', text);
  assert.deepEqual(json, {
    warnings: [
      {
        ruleName: 'FromAsCasing',
        description: "The 'as' keyword should match the case of the 'from' keyword",
        url: page('from-as-casing'),
        detail: "'as' and 'FROM' keywords' casing do not match",
        location: at(1),
      },
      {
        ruleName: 'MaintainerDeprecated',
        description: 'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
        url: page('maintainer-deprecated'),
        detail: 'Maintainer instruction is deprecated in favor of using label',
        location: at(2),
      },
      {
        ruleName: 'UndefinedVar',
        description: 'Variables should be defined before their use',
        url: page('undefined-var'),
        detail: "Usage of undefined variable '$FROM_BASE'",
        location: at(4),
      },
    ],
    sources: [{ filename: 'Dockerfile', data: Buffer.from(text).toString('base64'), language: 'Dockerfile' }],
  });
  assert.equal(status, '1');
  assert.deepEqual(host.warnings, []);
  assert.equal(
    shown.split('\n\n')[0],
    [
      '',
      `WARNING: FromAsCasing - ${page('from-as-casing')}`,
      "'as' and 'FROM' keywords' casing do not match",
      'Dockerfile:1',
      '--------------------',
      '   1 | >>> FROM debian as a',
      '   2 |     MAINTAINER me',
      '   3 |     FROM scratch',
      '--------------------',
    ].join('\n'),
  );
});

test('lint: a clean file, and one with a target', async () => {
  const clean = await ask('frontend.lint', 'FROM debian\nCMD ["a"]');
  assert.deepEqual([clean.text, clean.status], ['', '0']);
  const text = 'FROM debian AS a\nENV x=$y\nFROM debian\nENV z=$w';
  const { json } = await ask('frontend.lint', text, { target: 'a' });
  assert.deepEqual(
    (json as { warnings: { detail: string }[] }).warnings.map(({ detail }) => detail),
    ["Usage of undefined variable '$y'"],
  );
});

test('lint: what ends a build is a finding with a place', async () => {
  const { json, status } = await ask('frontend.lint', 'FROM debian as x\nCOPPY a b');
  assert.deepEqual((json as { buildError: object }).buildError, {
    message: 'dockerfile parse error on line 2: unknown instruction: COPPY (did you mean COPY?)',
    location: at(2),
    remedy: 'Correct the word, or end the line before with the escape character if this continues it.',
  });
  assert.equal(status, '1');
  assert.deepEqual(
    (json as { warnings: { ruleName: string }[] }).warnings.map(({ ruleName }) => ruleName),
    ['FromAsCasing'],
    'what stands before it is looked at all the same',
  );
  const late = await ask('frontend.lint', 'FROM debian as x\nCOPY --from=later a b\nFROM debian AS later');
  const { warnings, buildError } = late.json as { warnings: object[]; buildError: { location: object } };
  assert.deepEqual([warnings.length, buildError.location], [1, at(2)]);
  const strict = await ask('frontend.lint', '# check=error=true\nFROM debian as x');
  assert.match(JSON.stringify(strict.json), /lint violation found for rules: FromAsCasing/);
  const missing = await ask('frontend.lint', 'FROM debain');
  assert.match(JSON.stringify(missing.json), /not found \(did you mean debian\?\)/);
});

test('lint: a base out of reach is no fault, and silences what hangs on it', async () => {
  class Offline extends FakeHost {
    override async resolve(op: SourceOp): ReturnType<FakeHost['resolve']> {
      if ('reference' in op.source && op.source.reference.includes('busybox'))
        throw new CodedError({ code: 'OUT', kind: 'unavailable', message: 'reach it: no route' });
      return super.resolve(op);
    }
  }
  const text = 'FROM busybox as x\nENV a=$b\nFROM x\nENV c=$d\nFROM debian\nENV e=$f';
  const { json, host } = await ask('frontend.lint', text, {}, Offline);
  assert.deepEqual(
    (json as { warnings: { ruleName: string }[] }).warnings.map(({ ruleName }) => ruleName),
    ['FromAsCasing', 'UndefinedVar'],
  );
  assert.deepEqual(
    host.warnings.map(({ code, place }) => [code, place?.line]),
    [['BaseUnavailable', 1]],
  );
  await assert.rejects(
    dockerfileFrontend(
      { options: {}, platforms: [amd64], buildPlatform: amd64 },
      new Offline({ files: { dockerfile: { Dockerfile: 'FROM busybox' } } }),
    ),
    { code: 'OUT' },
  );
});

test('targets: names, the default, what the comments say', async () => {
  const text = '# base is the ground\nFROM debian AS base\nFROM --platform=$X base AS mid\nFROM mid\n';
  const { json, text: shown } = await ask('frontend.targets', text);
  assert.deepEqual(json, {
    targets: [
      { name: 'base', description: 'is the ground', base: 'debian', location: at(2) },
      { name: 'mid', base: 'base', platform: '$X', location: at(3) },
      { default: true, base: 'mid', location: at(4) },
    ],
    sources: [Buffer.from(text).toString('base64')],
  });
  assert.equal(shown, 'TARGET    DESCRIPTION\nbase      is the ground\nmid       \n(default) \n');
  const named = await ask('frontend.targets', 'FROM debian AS a\nFROM debian AS b');
  assert.equal(named.text, 'TARGET      DESCRIPTION\na           \nb (default) \n');
});

const OUTLINED = `ARG inherited=box
ARG inherited2=box2
ARG unused=abc\${inherited2}
# sfx is a suffix
ARG sfx="ian\${inherited}"

FROM debian\${sfx%box} AS first
# this is not assigned to anything
ARG FOO=123
# BAR is a number
ARG BAR=456
RUN --mount=type=secret,id=tok,required --mount=type=ssh true

FROM alpine\${unused} AS second
ARG BAZ
RUN true

FROM scratch AS third
ARG ABC=a$BAR
ARG inherited TARGETARCH

# target defines build target
FROM third AS target
COPY --from=first /etc/passwd /
RUN --mount=type=secret,id=tok --mount=type=ssh,id=other true

FROM second
`.replace('debian${sfx%box}', 'deb${sfx%box}');

test('outline: arguments, secrets and agents of the target and what it needs', async () => {
  const { json, text } = await ask('frontend.outline', OUTLINED, { target: 'target', 'build-arg:BAR': '678' });
  const { sources, ...rest } = json as { sources: string[] };
  assert.deepEqual(sources, [Buffer.from(OUTLINED).toString('base64')]);
  assert.deepEqual(rest, {
    name: 'target',
    description: 'defines build target',
    args: [
      { name: 'inherited', value: 'box', location: at(1) },
      { name: 'sfx', description: 'is a suffix', value: 'ianbox', location: at(5) },
      { name: 'FOO', value: '123', location: at(9) },
      { name: 'BAR', description: 'is a number', value: '678', location: at(11) },
      { name: 'ABC', value: 'a', location: at(19) },
    ],
    secrets: [{ name: 'tok', location: at(25) }],
    ssh: [
      { name: 'default', location: at(12) },
      { name: 'other', location: at(25) },
    ],
  });
  assert.equal(
    text,
    [
      'TARGET:      target',
      'DESCRIPTION: defines build target',
      '',
      'BUILD ARG   VALUE    DESCRIPTION',
      'inherited   box      ',
      'sfx         ianbox   is a suffix',
      'FOO         123      ',
      'BAR         678      is a number',
      'ABC         a        ',
      '',
      'SECRET   REQUIRED',
      'tok      ',
      '',
      'SSH       REQUIRED',
      'default   ',
      'other     ',
      '',
      '',
    ].join('\n'),
  );
});

test('outline: the default target has no name; a required secret says so', async () => {
  const { json, text } = await ask('frontend.outline', 'FROM debian\nRUN --mount=type=secret,id=a,required x');
  assert.deepEqual((json as { secrets: object }).secrets, [{ name: 'a', required: true, location: at(2) }]);
  assert.equal(text, 'SECRET   REQUIRED\na        true\n\n');
});

test('what can be asked is listed, and anything else refused', async () => {
  const { text } = await ask('frontend.subrequests.describe', 'FROM debian');
  assert.match(text, /^NAME {17}VERSION DESCRIPTION\noutline/);
  await assert.rejects(ask('frontend.lnt', 'FROM debian'), {
    code: 'DOCKERFILE_OPTION',
    message: 'unsupported subrequest "frontend.lnt" (did you mean frontend.lint?)',
  });
});

test('excerpts have lines before and after, as many as there are', () => {
  const text = ['1', '2', '3', '4', '5', '6', '7'].join('\n');
  const range = (start: number, end: number): Parameters<typeof excerpt>[2] => ({
    start: { line: start, column: 1 },
    end: { line: end, column: 2 },
  });
  const numbers = (start: number, end: number): string =>
    excerpt('f', text, range(start, end)).replaceAll(
      /^ +(\d+) \| (>>>|   ) .*$/gm,
      (_, n: string, mark: string) => n + mark.trim(),
    );
  const body = (start: number, end: number): readonly string[] => numbers(start, end).split('\n').slice(2, -2);
  assert.deepEqual(body(4, 4), ['2', '3', '4>>>', '5', '6']);
  assert.deepEqual(body(3, 4), ['2', '3>>>', '4>>>', '5']);
  assert.deepEqual(body(1, 1), ['1>>>', '2', '3']);
  assert.deepEqual(body(7, 9), ['6', '7>>>']);
  assert.equal(excerpt('f', text, range(8, 8)), '');
});
