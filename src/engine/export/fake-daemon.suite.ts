import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bytesOf, collect } from '../../base/index.ts';
import { digestOf, type Digest } from '../../blob/index.ts';
import { parseConfig } from '../../image/index.ts';
import { decompressed, tarFileTree } from '../../tree/index.ts';
import { chainIds } from '../../worker/ref.ts';

/** How a daemon keeps layers: by their chain, so that it reads no layer it has (`chains`); or by blob, all of which must be in the archive (`blobs`). */
export type Keeping = 'chains' | 'blobs';

/** What of Docker's API an image is loaded by, on a unix socket. */
export class FakeDaemon implements AsyncDisposable {
  readonly socket: string;
  /** diffIDs of the images that it has, by ID. */
  readonly images = new Map<Digest, { readonly layers: readonly Digest[]; readonly tags: readonly string[] }>();
  /** Names of the entries of each archive that came. */
  readonly archives: string[][] = [];
  /** Answers this to every load. */
  refusal: { readonly status: number; readonly body: string } | undefined;
  readonly #keeping: Keeping;
  readonly #folder: string;
  readonly #server = createServer((request, response) => void this.#serve(request, response));

  private constructor(keeping: Keeping) {
    this.#keeping = keeping;
    this.#folder = mkdtempSync(join(tmpdir(), 'strake-daemon-'));
    this.socket = join(this.#folder, 'docker.sock');
  }

  static async listen(keeping: Keeping): Promise<FakeDaemon> {
    const daemon = new FakeDaemon(keeping);
    await new Promise<void>((resolve) => daemon.#server.listen(daemon.socket, resolve));
    return daemon;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '', 'http://daemon').pathname;
    const id = /^\/images\/(.+)\/json$/.exec(decodeURIComponent(path))?.[1] as Digest | undefined;
    const json = (status: number, value: unknown): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    if (path === '/images/json')
      json(
        200,
        [...this.images.keys()].map((Id) => ({ Id, RepoTags: [] })),
      );
    else if (id !== undefined) {
      const image = this.images.get(id);
      if (image) json(200, { Id: id, RootFS: { Type: 'layers', Layers: image.layers } });
      else json(404, { message: `No such image: ${id}` });
    } else if (path === '/images/load' && request.method === 'POST') {
      const content = await collect(request);
      try {
        if (this.refusal) response.writeHead(this.refusal.status).end(this.refusal.body);
        else {
          await this.#load(content);
          json(200, { stream: 'Loaded image\n' });
        }
      } catch (error) {
        // Docker has begun to answer when it finds out.
        const message = (error as Error).message;
        response.writeHead(200).end(`${JSON.stringify({ errorDetail: { message }, error: message })}\n`);
      }
    } else json(404, { message: 'page not found' });
  }

  async #load(content: Uint8Array): Promise<void> {
    const path = join(this.#folder, 'archive');
    writeFileSync(path, content);
    const tree = await tarFileTree(path);
    const entries = new Map((await tree.entries()).map((entry) => [entry.path, entry]));
    this.archives.push([...entries.values()].flatMap((entry) => (entry.type === 'file' ? [entry.path] : [])));
    const read = async (name: string): Promise<Uint8Array> => {
      const entry = entries.get(name);
      if (!entry) throw new Error(`open /var/lib/docker/tmp/docker-import-1/${name}: no such file or directory`);
      return collect(tree.read([entry]));
    };
    type Item = { Config: string; RepoTags: string[] | null; Layers: string[] };
    for (const item of JSON.parse(Buffer.from(await read('manifest.json')).toString()) as Item[]) {
      const config = await read(item.Config);
      const diffIds = parseConfig(config).rootfs.diff_ids;
      const held = new Set(
        [...this.images.values()].flatMap(({ layers }) => chainIds(layers.map((diffId) => ({ diffId })))),
      );
      const chains = chainIds(diffIds.map((diffId) => ({ diffId })));
      for (const [i, layer] of item.Layers.entries()) {
        if (this.#keeping === 'chains' && held.has(chains[i] as Digest)) continue;
        const bytes = await read(layer);
        const unpacked = await collect(await decompressed(bytesOf(bytes), { what: layer }));
        if (digestOf(unpacked) !== diffIds[i]) throw new Error(`invalid diffID for layer ${i}`);
      }
      this.images.set(digestOf(config), { layers: diffIds, tags: item.RepoTags ?? [] });
    }
  }
}
