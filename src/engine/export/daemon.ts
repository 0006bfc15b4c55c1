import { existsSync } from 'node:fs';
import { collect, HttpClient, messageOf, type Bytes, type Wait } from '../../base/index.ts';
import type { Digest } from '../../blob/index.ts';
import { relabel, writeDockerArchive, type Image } from '../../image/index.ts';
import { NONE } from '../../tree/index.ts';
import type { BuiltImage } from '../build.ts';
import type { ExportRequest } from '../builder.ts';
import { engineError } from '../errors.ts';
import { imageOf, told, type Exported, type ExportContext } from './context.ts';

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
  const id = 'export docker-daemon';
  return told(id, `importing to docker at ${socketPath}`, c, async (note) => {
    await using http = new HttpClient({ socketPath });
    const value = imageOf(image, { codec: NONE, family: 'docker', context: c });
    const held = await layersHeld(
      http,
      image.layers.map((layer) => layer.diffId),
      c,
    );
    try {
      await load(http, value, { names: e.names, skip: held, ...c });
      if (held > 0) note(`${held} of ${image.layers.length} layers were there already`);
    } catch (error) {
      if (held === 0) throw error;
      await load(http, value, { names: e.names, skip: 0, ...c });
    }
    return { names: e.names };
  });
}

/** How many of the lowest layers an image of the daemon's has, too. */
async function layersHeld(http: HttpClient, diffIds: readonly Digest[], w: Wait): Promise<number> {
  const images = (await getJson(http, '/images/json', w)) as readonly { Id?: string }[];
  let most = 0;
  for (const { Id } of images.slice(0, 100)) {
    if (typeof Id !== 'string') continue;
    const details = (await getJson(http, `/images/${encodeURIComponent(Id)}/json`, w)) as {
      RootFS?: { Layers?: readonly string[] };
    };
    const layers = details.RootFS?.Layers ?? [];
    let same = 0;
    while (same < diffIds.length && layers[same] === diffIds[same]) same += 1;
    most = Math.max(most, same);
  }
  return most;
}

async function load(
  http: HttpClient,
  image: Image,
  o: { names: readonly string[]; skip: number } & Wait,
): Promise<void> {
  const answer = await http.request({
    method: 'POST',
    url: 'http://daemon/images/load?quiet=1',
    headers: { 'content-type': 'application/x-tar' },
    body: archiveBytes(o.skip === 0 ? image : without(image, o.skip), o.names, o),
    signal: o.signal,
  });
  const text = Buffer.from(await collect(answer.body, { limit: 1 << 20 })).toString();
  const failed = /"error":\s*"([^"]*)"/.exec(text)?.[1];
  if (answer.status >= 300 || failed !== undefined)
    throw engineError(
      'DAEMON_REFUSED',
      `load into Docker: ${failed ?? (text.trim() || `HTTP status ${answer.status}`)}`,
    );
}

/** The image with the bytes of its lowest layers left out; Docker takes them from what it has. */
function without(image: Image, skip: number): Image {
  return {
    ...image,
    layers: async (w) =>
      (await image.layers(w)).map((layer, at) =>
        at < skip ? { ...relabel(layer, (d) => d), compressed: async () => nothing() } : layer,
      ),
  };
}

async function* nothing(): Bytes {}

/** What the archive writer pushes, as a stream that the request pulls. */
async function* archiveBytes(image: Image, names: readonly string[], w: Wait): Bytes {
  const transform = new TransformStream<Uint8Array, Uint8Array>(undefined, { highWaterMark: 1 }, { highWaterMark: 1 });
  const writer = transform.writable.getWriter();
  const work = writeDockerArchive([{ image, names }], (chunk) => writer.write(chunk), w).then(
    () => writer.close(),
    (error: unknown) => writer.abort(error),
  );
  work.catch(() => undefined);
  yield* transform.readable as unknown as Bytes;
  await work;
}

async function getJson(http: HttpClient, path: string, w: Wait): Promise<unknown> {
  const answer = await http.request({ method: 'GET', url: `http://daemon${path}`, signal: w.signal });
  const text = Buffer.from(await collect(answer.body, { limit: 64 << 20 })).toString();
  if (answer.status !== 200)
    throw engineError('DAEMON_REFUSED', `ask Docker for ${path}: HTTP status ${answer.status}`);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw engineError('DAEMON_REFUSED', `ask Docker for ${path}: ${messageOf(error)}`, { cause: error });
  }
}
