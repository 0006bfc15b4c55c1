import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Engine } from '../../engine/index.ts';
import type { BuildServer } from '../../serve/index.ts';
import { daemonError } from './errors.ts';

/** Prometheus' text format at /metrics, and /healthz. */
export async function serveMetrics(
  text: string,
  { server, engine }: { readonly server: BuildServer; readonly engine: Engine },
): Promise<AsyncDisposable & { readonly address: string }> {
  const match = /^(?:tcp:\/\/|http:\/\/)?(\[[^\]]+\]|[^:]*):(\d+)$/.exec(text);
  if (!match) throw daemonError('DAEMON_FLAG', `read --metrics-addr "${text}": write host:port`);
  const http = createServer((request, response) => {
    if (request.url === '/healthz') response.end('ok\n');
    else if (request.url === '/metrics')
      metricsText(server, engine).then(
        (body) => response.setHeader('content-type', 'text/plain; version=0.0.4').end(body),
        () => response.writeHead(500).end(),
      );
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve, reject) => {
    http.once('error', reject);
    http.listen({ host: match[1]?.replaceAll(/^\[|\]$/g, '') || '127.0.0.1', port: Number(match[2]) }, () => resolve());
  });
  const { address, port } = http.address() as AddressInfo;
  return {
    address: `${address.includes(':') ? `[${address}]` : address}:${port}`,
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

async function metricsText(server: BuildServer, engine: Engine): Promise<string> {
  const { counts, running, sessions } = server;
  const usage = await engine.store.usage();
  const lines: string[] = [];
  const metric = (
    name: string,
    type: 'counter' | 'gauge',
    about: string,
    values: readonly (readonly [string, number])[],
  ): void => {
    lines.push(`# HELP strake_${name} ${about}`, `# TYPE strake_${name} ${type}`);
    for (const [labels, value] of values) lines.push(`strake_${name}${labels} ${value}`);
  };
  metric('builds_total', 'counter', 'Builds that have ended, by how.', [
    ['{status="completed"}', counts.completed],
    ['{status="failed"}', counts.failed],
    ['{status="canceled"}', counts.cancelled],
  ]);
  metric('build_seconds_total', 'counter', 'Time that builds took.', [['', counts.seconds]]);
  metric('builds_running', 'gauge', 'Builds that run.', [['', running]]);
  metric('sessions_open', 'gauge', 'Sessions of clients.', [['', sessions]]);
  metric('store_bytes', 'gauge', 'Bytes in the store, by kind.', [
    ['{kind="blobs"}', usage.blobBytes],
    ['{kind="snapshots"}', usage.snapshotBytes],
    ['{kind="caches"}', usage.cacheBytes],
    ['{kind="repositories"}', usage.repositoryBytes],
  ]);
  metric('process_resident_bytes', 'gauge', 'Memory of the process.', [['', process.memoryUsage.rss()]]);
  return `${lines.join('\n')}\n`;
}
