import { existsSync } from 'node:fs';
import { collect, hasCode, HttpClient, messageOf, type Bytes, type Wait } from '../../base/index.ts';
import type { Digest } from '../../blob/index.ts';
import { writeDockerArchive, type Image } from '../../image/index.ts';
import { NONE } from '../../tree/index.ts';
import type { BuiltImage } from '../built-image.ts';
import type { ExportRequest } from '../builder.ts';
import { engineError } from '../errors.ts';
import { imageOf, told, type Exported, type ExportContext } from './context.ts';

/** A daemon unpacks the whole archive before it answers. */
const LOADING_MS = 3_600_000;

type DaemonExport = Extract<ExportRequest, { type: 'docker-daemon' }>;

/** Sockets where a Docker or Podman daemon listens, the likeliest first. */
export function daemonSockets(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const named = env['DOCKER_HOST']?.startsWith('unix://') ? [env['DOCKER_HOST'].slice('unix://'.length)] : [];
  const runtime = env['XDG_RUNTIME_DIR'];
  const own = runtime === undefined ? [] : [`${runtime}/docker.sock`, `${runtime}/podman/podman.sock`];
  return [...named, '/var/run/docker.sock', ...own, '/run/podman/podman.sock'];
}

/** Loads the image into a running Docker or Podman through its API. Docker with its own layer store is only sent the layers that it lacks. */
export async function exportToDaemon(
  built: readonly BuiltImage[],
  e: DaemonExport,
  c: ExportContext,
): Promise<Exported> {
  const [image, ...more] = built;
  if (!image || more.length > 0)
    throw engineError('EXPORT_INVALID', 'load into Docker: its API takes one platform at a time');
  const socketPath = e.socket ?? daemonSockets(process.env).find((path) => existsSync(path));
  if (socketPath === undefined)
    throw engineError('DAEMON_UNREACHABLE', 'load into Docker: no socket of Docker or Podman was found', {
      remedy: 'Start it, or name its socket with -o type=docker-daemon,socket=PATH or DOCKER_HOST=unix://PATH.',
    });
  return told(`importing to docker at ${socketPath}`, c, async (note) => {
    await using http = new HttpClient({ socketPath });
    const value = await imageOf(image, { codec: NONE, family: 'docker', context: c });
    const diffIds = image.layers.map((layer) => layer.diffId);
    const held = await loadIntoDaemon(http, { names: e.names, diffIds, image: () => value, signal: c.signal });
    if (held > 0) note(`${held} of ${image.layers.length} layers were there already`);
    return { names: e.names };
  });
}

/**
 * Loads an image into a daemon. `image` gives it for one that has as many of its lowest layers: of those nothing but the digest is asked for. Gives how many were not sent. Throws `DAEMON_REFUSED`.
 */
export async function loadIntoDaemon(
  http: HttpClient,
  o: {
    readonly names: readonly string[];
    readonly diffIds: readonly Digest[];
    readonly image: (held: number) => Image | Promise<Image>;
  } & Wait,
): Promise<number> {
  const { names, signal } = o;
  const held = await layersHeld(http, o.diffIds, o);
  if (held > 0)
    try {
      const image = await o.image(held);
      await load(http, image, { names, omit: await lowest(image, held, o), signal });
      return held;
    } catch (error) {
      // A daemon that keeps layers in another way (containerd's store, Podman) needs them all.
      if (!hasCode(error, 'DAEMON_REFUSED')) throw error;
    }
  await load(http, await o.image(0), { names, omit: [], signal });
  return 0;
}

/** How many of the lowest layers an image of the daemon's has, too. */
async function layersHeld(http: HttpClient, diffIds: readonly Digest[], w: Wait): Promise<number> {
  const images = await getJson(http, '/images/json', w);
  let most = 0;
  for (const { Id } of (Array.isArray(images) ? images : []).slice(0, 100) as { Id?: unknown }[]) {
    if (typeof Id !== 'string' || most === diffIds.length) continue;
    // An image that has gone meanwhile is none that helps.
    const details = (await getJson(http, `/images/${encodeURIComponent(Id)}/json`, { ...w, missing: {} })) as {
      RootFS?: { Layers?: readonly string[] };
    };
    const layers = details.RootFS?.Layers ?? [];
    let same = 0;
    while (same < diffIds.length && layers[same] === diffIds[same]) same += 1;
    most = Math.max(most, same);
  }
  return most;
}

/** The blobs of the lowest layers, but for those that further layers are, too. */
async function lowest(image: Image, held: number, w: Wait): Promise<readonly Digest[]> {
  const digests: Digest[] = [];
  for (const layer of await image.layers(w)) digests.push((await layer.descriptor(w)).digest);
  const needed = new Set(digests.slice(held));
  return digests.slice(0, held).filter((digest) => !needed.has(digest));
}

async function load(
  http: HttpClient,
  image: Image,
  o: { names: readonly string[]; omit: readonly Digest[] } & Wait,
): Promise<void> {
  const answer = await http.request({
    method: 'POST',
    url: 'http://daemon/images/load?quiet=1',
    headers: { 'content-type': 'application/x-tar' },
    body: archiveBytes(image, o),
    idleTimeout: LOADING_MS,
    signal: o.signal,
  });
  const text = Buffer.from(await collect(answer.body, { limit: 1 << 20 })).toString();
  const failed = failureIn(text);
  if (answer.status >= 300 || failed !== undefined)
    throw engineError(
      'DAEMON_REFUSED',
      `load into Docker: ${failed ?? (text.trim() || `HTTP status ${answer.status}`)}`,
    );
}

/** What the daemon says went wrong, in its stream of JSON lines or the one object of a refused request. */
function failureIn(text: string): string | undefined {
  for (const line of text.split('\n')) {
    try {
      const { error, message, cause } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      const failed = error ?? message ?? cause;
      if (typeof failed === 'string') return failed;
    } catch {
      // Not every daemon says everything in JSON.
    }
  }
  return undefined;
}

/** What the archive writer pushes, as a stream that the request pulls. */
async function* archiveBytes(image: Image, o: { names: readonly string[]; omit: readonly Digest[] } & Wait): Bytes {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>(
    undefined,
    { highWaterMark: 1 },
    { highWaterMark: 1 },
  );
  const writer = writable.getWriter();
  writer.closed.catch(() => undefined);
  const omit = new Set(o.omit);
  const write = async (chunk: Uint8Array): Promise<void> => {
    await writer.ready;
    await writer.write(chunk);
  };
  const work = writeDockerArchive([{ image, names: o.names }], write, {
    omit: ({ digest }) => omit.has(digest),
    signal: o.signal,
  }).then(
    () => writer.close(),
    (error: unknown) => writer.abort(error),
  );
  work.catch(() => undefined);
  try {
    yield* readable as unknown as Bytes;
  } finally {
    // Nothing is read on for a request that has failed.
    await work.catch(() => undefined);
  }
}

async function getJson(http: HttpClient, path: string, o: { missing?: unknown } & Wait): Promise<unknown> {
  const answer = await http.request({ method: 'GET', url: `http://daemon${path}`, signal: o.signal });
  const text = Buffer.from(await collect(answer.body, { limit: 64 << 20 })).toString();
  if (answer.status === 404 && 'missing' in o) return o.missing;
  if (answer.status !== 200)
    throw engineError('DAEMON_REFUSED', `ask Docker for ${path}: ${failureIn(text) ?? `HTTP status ${answer.status}`}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw engineError('DAEMON_REFUSED', `ask Docker for ${path}: ${messageOf(error)}`, { cause: error });
  }
}
