import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { CodedError, systemRandom } from '../../../base/index.ts';
import { digestOf } from '../../../blob/index.ts';
import type { BuildEvent } from '../../../engine/index.ts';
import { BuildTelemetry } from './build-telemetry.ts';
import { parseTraceParent, type Span } from './trace.ts';

const [detect, build, layers] = ['a', 'b', 'c'].map((text) => digestOf(text)) as [string, string, string];
const EVENTS: readonly BuildEvent[] = [
  { kind: 'vertex', id: detect, name: '[detect] org/one@1.2.3', inputs: [], group: 'detect' },
  { kind: 'vertex', id: layers, name: '[restore] layers', inputs: [], group: 'restore' },
  { kind: 'vertex', id: build, name: '[build] org/one@1.2.3', inputs: [detect], group: 'build' },
  { kind: 'cached', id: detect, at: 1010, verdict: { hit: true, by: 'content', record: digestOf('r') } },
  { kind: 'completed', id: detect, at: 1010 },
  { kind: 'started', id: layers, at: 1020 },
  { kind: 'completed', id: layers, at: 1030 },
  { kind: 'started', id: build, at: 1040, miss: [{ kind: 'content' }] },
  { kind: 'log', id: build, at: 1050, stream: 'stdout', chunk: Buffer.from('the-log\n') },
  { kind: 'completed', id: build, at: 1100, error: 'login to https://user:hunter2@example.test failed' },
];

interface Data {
  readonly resourceSpans: readonly [
    {
      readonly resource: { readonly attributes: readonly object[] };
      readonly scopeSpans: readonly [{ readonly spans: readonly Span[] }];
    },
  ];
}

const spansIn = (text: string): readonly Span[] => (JSON.parse(text) as Data).resourceSpans[0].scopeSpans[0].spans;

/** A collector that keeps what it is sent. */
async function collector(status: number): Promise<
  {
    url: string;
    readonly got: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[];
  } & AsyncDisposable
> {
  const got: { path: string | undefined; headers: IncomingHttpHeaders; body: string }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      got.push({ path: request.url, headers: request.headers, body: Buffer.concat(chunks).toString() });
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function rig(): {
  folder: string;
  io: ConstructorParameters<typeof BuildTelemetry>[0]['io'];
  [Symbol.dispose](): void;
} {
  const folder = mkdtempSync(join(tmpdir(), 'strake-telemetry-'));
  let now = 1000;
  const env: Record<string, string> = {
    TRACEPARENT: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    OTEL_EXPORTER_OTLP_HEADERS: 'x-team=a%20b, broken',
  };
  const io = { cwd: folder, env, random: systemRandom, clock: { now: () => (now += 200) } };
  return { folder, io, [Symbol.dispose]: () => rmSync(folder, { recursive: true }) };
}

test('a build that failed is sent as one trace: the build, its phases, their steps', async () => {
  using made = rig();
  await using server = await collector(200);
  const telemetry = new BuildTelemetry({ io: made.io, title: 'app', isApp: true, endpoint: server.url });
  for (const event of EVENTS) telemetry.event(event);
  const error = new CodedError({ code: 'CNB_BUILD_FAILED', kind: 'failed', message: 'buildpack "org/one" failed' });
  assert.deepEqual(await telemetry.finish(error), []);
  const [request, ...more] = server.got;
  assert.deepEqual(more, []);
  assert.equal(request?.path, '/v1/traces');
  assert.equal(request.headers['content-type'], 'application/json');
  assert.equal(request.headers['x-team'], 'a b');
  assert.doesNotMatch(request.body, /hunter2|the-log/);
  const spans = spansIn(request.body);
  const names = new Map(spans.map(({ spanId, name }) => [spanId, name]));
  assert.equal(names.size, spans.length);
  assert.deepEqual(
    spans.map(({ name, parentSpanId, status }) => [name, names.get(parentSpanId ?? '') ?? parentSpanId, status?.code]),
    [
      ['build', 'b7ad6b7169203331', 2],
      ['detect', 'build', undefined],
      ['[detect] org/one@1.2.3', 'detect', undefined],
      ['restore', 'build', undefined],
      ['[restore] layers', 'restore', undefined],
      ['build', 'build', 2],
      ['[build] org/one@1.2.3', 'build', 2],
    ],
  );
  assert.deepEqual(new Set(spans.map(({ traceId }) => traceId)), new Set(['0af7651916cd43dd8448eb211c80319c']));
  for (const { spanId, startTimeUnixNano, endTimeUnixNano } of spans) {
    assert.match(spanId, /^[0-9a-f]{16}$/);
    assert.ok(BigInt(startTimeUnixNano) <= BigInt(endTimeUnixNano));
  }
  assert.equal(spans[6]?.startTimeUnixNano, '1040000000');
  const found = spans[2]?.attributes.find(({ key }) => key === 'strake.cache.hit');
  assert.deepEqual(found?.value, { boolValue: true });
});

test('files by phases and buildpacks, a line for each build', async () => {
  using made = rig();
  for (const _ of [1, 2]) {
    const telemetry = new BuildTelemetry({ io: made.io, title: 'app', isApp: true, folder: 'traces/here' });
    for (const event of EVENTS) telemetry.event(event);
    assert.deepEqual(await telemetry.finish(new Error('x')), []);
  }
  const root = join(made.folder, 'traces/here');
  const files = (await Array.fromAsync(glob('**/*.jsonl', { cwd: root }))).sort();
  assert.deepEqual(files, [
    'build.jsonl',
    'buildpacks/org_one@1.2.3-build.jsonl',
    'buildpacks/org_one@1.2.3-detect.jsonl',
    'lifecycle/build.jsonl',
    'lifecycle/detect.jsonl',
    'lifecycle/restore.jsonl',
  ]);
  for (const file of files) {
    const lines = readFileSync(join(root, file), 'utf8').trimEnd().split('\n');
    assert.equal(lines.length, 2, file);
    for (const line of lines) assert.ok(spansIn(line).length > 0);
  }
});

test('the stages of a Dockerfile have files of their own', async () => {
  using made = rig();
  const telemetry = new BuildTelemetry({ io: made.io, title: 'app', isApp: false, folder: 'traces' });
  telemetry.event({ kind: 'vertex', id: build, name: '[../x 1/1] RUN make', inputs: [], group: '../x' });
  telemetry.event({ kind: 'started', id: build, at: 1040 });
  telemetry.event({ kind: 'completed', id: build, at: 1050 });
  assert.deepEqual(await telemetry.finish(), []);
  const files = (await Array.fromAsync(glob('**/*.jsonl', { cwd: made.folder }))).sort();
  assert.deepEqual(files, ['traces/build.jsonl', 'traces/stages/__x.jsonl']);
});

test('a collector that refuses, or is not there, is told of; what is no address is refused at once', async () => {
  using made = rig();
  await using server = await collector(503);
  const refused = new BuildTelemetry({ io: made.io, title: 'app', isApp: false, endpoint: `${server.url}/base/` });
  const [problem] = await refused.finish();
  assert.match(problem ?? '', /^send the trace to "http:.*\/base\/v1\/traces": it answers with status 503$/);
  const gone = new BuildTelemetry({ io: made.io, title: 'app', isApp: false, endpoint: 'http://127.0.0.1:1' });
  assert.equal((await gone.finish()).length, 1);
  for (const endpoint of ['', 'localhost', 'ftp://x'])
    assert.throws(() => new BuildTelemetry({ io: made.io, title: 'app', isApp: false, endpoint }), { code: 'USAGE' });
});

test('trace parents', () => {
  assert.deepEqual(parseTraceParent('00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'), {
    traceId: '0af7651916cd43dd8448eb211c80319c',
    spanId: 'b7ad6b7169203331',
  });
  for (const text of [
    undefined,
    '',
    '00-0-0-01',
    `ff-${'1'.repeat(32)}-${'1'.repeat(16)}-01`,
    `00-${'0'.repeat(32)}-${'1'.repeat(16)}-01`,
  ])
    assert.equal(parseTraceParent(text), undefined);
});
