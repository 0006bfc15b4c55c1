import { messageOf, type Wait } from '../../../base/index.ts';
import { formatPlatform } from '../../../image/index.ts';
import { askRemote, type RemoteInfo } from '../../../serve/remote/index.ts';
import { cliError } from '../errors.ts';
import { jsonText, tableText } from '../print/table.ts';
import type { CliContext } from '../command.ts';
import { instanceNames } from './buildx-instances.ts';
import { connectEndpoint } from './connect-endpoint.ts';
import { parseEndpoint, platformsOf, type Endpoint, type TlsFiles } from './endpoint.ts';
import { findEndpoints } from './find-endpoints.ts';
import { checkNodeName, readNodes, writeNodes } from './nodes.ts';

/** Milliseconds until a daemon that is only looked at is taken for one that does not answer. */
const PATIENCE = 5000;

/** `strake node add`. Throws `USAGE`, `NODE_EXISTS`, and what asking the daemon does unless `unasked`. */
export async function addNode(
  name: string,
  address: string,
  o: {
    readonly c: CliContext;
    readonly platforms: readonly string[];
    readonly tls?: TlsFiles | undefined;
    readonly force: boolean;
    readonly unasked: boolean;
  },
): Promise<void> {
  const { c, tls, force } = o;
  const { io } = c;
  checkNodeName(name);
  const endpoint = parseEndpoint(address, { env: io.env, tls });
  if (!endpoint)
    throw cliError('NODE_UNSUPPORTED', `add node "${name}" at "${address}": that is no address`, {
      remedy: 'Write buildkit+unix:///PATH, buildkit+tcp://HOST:PORT or docker://.',
    });
  const platforms = platformsOf(o.platforms).map((platform) => formatPlatform(platform));
  const nodes = readNodes(io);
  if (!force && nodes.some((node) => node.name === name))
    throw cliError('NODE_EXISTS', `add node "${name}": there is one of that name`, {
      remedy: `Take it away with "strake node rm ${name}", or write --force.`,
    });
  if (!o.unasked) await ask(endpoint, c);
  // Files are found again from wherever it is used.
  const { resolve } = await import('node:path');
  const at = (path: string | undefined): string | undefined => (path === undefined ? undefined : resolve(io.cwd, path));
  const files = tls && { ca: at(tls.ca), cert: at(tls.cert), key: at(tls.key), serverName: tls.serverName };
  writeNodes(io, [...nodes.filter((node) => node.name !== name), { name, address, platforms, tls: files }]);
  io.stdout.write(`${name}\n`);
}

/** `strake node rm`. Throws `NODE_UNKNOWN`, and takes none away then. */
export function removeNodes(names: readonly string[], { io }: CliContext): void {
  const nodes = readNodes(io);
  for (const name of names)
    if (!nodes.some((node) => node.name === name))
      throw cliError('NODE_UNKNOWN', `take away node "${name}": there is none of that name`);
  writeNodes(
    io,
    nodes.filter(({ name }) => !names.includes(name)),
  );
  for (const name of names) io.stdout.write(`${name}\n`);
}

/** `strake node ls`: the named ones and those of `docker buildx`, with what they build for. */
export async function listNodes(c: CliContext, o: { readonly format: 'table' | 'json' }): Promise<void> {
  const { io } = c;
  const names = [...new Set([...readNodes(io).map(({ name }) => name), ...instanceNames(io)])];
  const rows = (await Promise.all(names.map((name) => rowsOf(name, c)))).flat();
  if (o.format === 'json') {
    io.stdout.write(jsonText(rows));
    return;
  }
  io.stdout.write(
    tableText(
      [
        { title: 'NAME' },
        { title: 'ADDRESS' },
        { title: 'STATUS', shrink: true },
        { title: 'VERSION' },
        { title: 'PLATFORMS' },
      ],
      rows.map((row) => [row.name, row.address, row.status, row.version, row.platforms.join(', ')]),
      { style: io.outStyle, columns: io.stdout.isTerminal ? io.stdout.size().columns : undefined },
    ),
  );
}

interface Row {
  readonly name: string;
  readonly address: string;
  readonly status: string;
  readonly version: string;
  readonly platforms: readonly string[];
}

async function rowsOf(name: string, c: CliContext): Promise<readonly Row[]> {
  let endpoints: readonly Endpoint[];
  try {
    endpoints = findEndpoints(name, { io: c.io });
  } catch (error) {
    return [{ name, address: '', status: messageOf(error), version: '', platforms: [] }];
  }
  return Promise.all(
    endpoints.map(async (endpoint): Promise<Row> => {
      const common = { name: endpoint.name, address: addressOf(endpoint) };
      const restricted = endpoint.platforms.map((platform) => formatPlatform(platform));
      try {
        const info = await ask(endpoint, c);
        const platforms = (info.workers[0]?.platforms ?? []).map((platform) => formatPlatform(platform));
        return {
          ...common,
          status: 'ready',
          version: info.version,
          platforms: restricted.length > 0 ? restricted.map((platform) => `${platform}*`) : platforms,
        };
      } catch (error) {
        return { ...common, status: messageOf(error), version: '', platforms: restricted };
      }
    }),
  );
}

/** `strake node inspect`: what a daemon says of itself, as JSON. */
export async function inspectNode(name: string, c: CliContext): Promise<void> {
  const found = await Promise.all(
    findEndpoints(name, { io: c.io, tls: c.settings.tls }).map(async (endpoint) => {
      const info = await ask(endpoint, c);
      return {
        name: endpoint.name,
        address: addressOf(endpoint),
        version: info.version,
        only: endpoint.platforms.map((platform) => formatPlatform(platform)),
        workers: info.workers.map(({ id, labels, platforms }) => ({
          id,
          platforms: platforms.map((platform) => formatPlatform(platform)),
          labels,
        })),
      };
    }),
  );
  c.io.stdout.write(jsonText(found));
}

async function ask(endpoint: Endpoint, { io, signal }: CliContext): Promise<RemoteInfo> {
  const w: Wait = { signal: AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]) };
  try {
    await using connection = await connectEndpoint(endpoint, { cwd: io.cwd, ...w });
    return await askRemote(connection, w);
  } catch (error) {
    if (w.signal?.aborted && !signal.aborted)
      throw cliError('NODE_UNREACHABLE', `ask "${endpoint.name}": no answer within ${PATIENCE / 1000} seconds`, {
        cause: error,
      });
    throw error;
  }
}

function addressOf({ place }: Endpoint): string {
  if (place.kind === 'container') return `container ${place.container}`;
  return `${place.kind}+${place.address}`;
}
