import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { systemRandom } from '../../../base/index.ts';
import { daemonTracing } from './daemon-tracing.ts';

interface Sent {
  readonly path: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** A collector that keeps what it is sent. */
async function collector(): Promise<{ readonly url: string; readonly next: () => Promise<Sent> } & AsyncDisposable> {
  const sent: Sent[] = [];
  const waiting: ((one: Sent) => void)[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.end();
      const one = { path: request.url, headers: request.headers, body: Buffer.concat(chunks) };
      const first = waiting.shift();
      if (first) first(one);
      else sent.push(one);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next: () => new Promise((resolve) => (sent.length > 0 ? resolve(sent.shift()!) : waiting.push(resolve))),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const PARENT = `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`;
const clock = { now: () => 1_700_000_000_000 };

test("a build hangs below its caller's span, on record and at the collector; the caller's spans go there as they came", async () => {
  await using to = await collector();
  const warnings: string[] = [];
  const tracing = daemonTracing({
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: to.url, OTEL_EXPORTER_OTLP_HEADERS: 'x-key=a%20b' },
    clock,
    random: systemRandom,
    warn: (text) => void warnings.push(text),
  });
  const spans = tracing.begin({ title: 'app', parent: PARENT });
  spans.event({ kind: 'vertex', id: 'a', name: '[1/1] RUN x', inputs: [] });
  spans.event({ kind: 'started', id: 'a', at: 1_700_000_000_000 });
  spans.event({ kind: 'completed', id: 'a', at: 1_700_000_001_000 });
  const kept = Buffer.from(spans.end(new Error('no')))
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const [root] = kept;
  assert.equal(root.Parent.SpanID, 'cd'.repeat(8));
  assert.equal(root.Status.Code, 'Error');
  assert.ok(kept.every((span) => span.SpanContext.TraceID === 'ab'.repeat(16)));
  assert.ok(kept.some((span) => span.Name === '[1/1] RUN x' && span.StartTime === '2023-11-14T22:13:20.000Z'));
  const got = await to.next();
  assert.equal(got.path, '/v1/traces');
  assert.equal(got.headers['x-key'], 'a b');
  const [{ spanId, parentSpanId }] = JSON.parse(got.body.toString()).resourceSpans[0].scopeSpans[0].spans;
  assert.deepEqual([spanId, parentSpanId], [root.SpanContext.SpanID, 'cd'.repeat(8)]);

  await tracing.forward?.(Buffer.from([10, 1, 7]));
  const handed = await to.next();
  assert.deepEqual([handed.headers['content-type'], [...handed.body]], ['application/x-protobuf', [10, 1, 7]]);
  assert.deepEqual(warnings, []);
});

test('without a collector nothing is handed on, and a build is still told of', () => {
  const warnings: string[] = [];
  const open = (env: Record<string, string>) =>
    daemonTracing({ env, clock, random: systemRandom, warn: (text) => void warnings.push(text) });
  assert.equal(open({}).forward, undefined);
  assert.ok(open({}).begin({ title: 'x', parent: undefined }).end().length > 0);
  const grpc = open({ OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
  assert.equal(grpc.forward, undefined);
  assert.match(warnings.join('\n'), /over HTTP only/);
  assert.throws(() => open({ OTEL_EXPORTER_OTLP_ENDPOINT: 'nowhere' }), /read OTEL_EXPORTER_OTLP_ENDPOINT "nowhere"/);
});
