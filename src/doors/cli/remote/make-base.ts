import { join } from 'node:path';
import { collect, tempFolder, type Random } from '../../../base/index.ts';
import type { Engine } from '../../../engine/index.ts';
import type { Frontend } from '../../../frontend/index.ts';
import { sourceState } from '../../../graph/index.ts';
import { descriptorOf, formatPlatform, openLayout, parseConfig, selectImage } from '../../../image/index.ts';
import type { LocalImage, MakeBase } from '../../../serve/remote/index.ts';
import type { BuildHost } from '../../../worker/index.ts';

/** Bases of packages, made by the engine of this machine and laid out for a daemon elsewhere to take. They go with this. */
export class BaseMaker implements AsyncDisposable {
  readonly #open: () => Promise<Engine>;
  readonly #host: Pick<BuildHost, 'credentials'>;
  readonly #scratch: string;
  readonly #random: Random;
  readonly #left = new AsyncDisposableStack();
  readonly #made = new Map<string, Promise<LocalImage>>();
  #engine: Promise<Engine> | undefined;

  constructor(o: {
    readonly open: () => Promise<Engine>;
    readonly host: Pick<BuildHost, 'credentials'>;
    readonly scratch: string;
    readonly random: Random;
  }) {
    this.#open = o.open;
    this.#host = o.host;
    this.#scratch = o.scratch;
    this.#random = o.random;
  }

  readonly make: MakeBase = (source, o) => {
    const key = `${source.reference} ${formatPlatform(source.platform)} ${source.pull ?? ''}`;
    let made = this.#made.get(key);
    if (!made) this.#made.set(key, (made = this.#build(source, o)));
    return made;
  };

  readonly #build: MakeBase = async (source, { say, signal }) => {
    const engine = await (this.#engine ??= this.#opened());
    const folder = this.#left.use(tempFolder(this.#scratch, this.#random)).path;
    const frontend: Frontend = async (_request, host, w) => {
      const resolved = await host.resolve({ kind: 'source', source }, w);
      const state = sourceState(resolved.source.source, { name: `make ${source.reference}` });
      const config = parseConfig(resolved.config ?? Buffer.from('{}'));
      const image = {
        platform: source.platform,
        layers: [{ kind: 'base', image: state } as const],
        root: state,
        config,
        baseHistory: config.history?.length ?? 0,
        attestations: [],
      };
      return { results: new Map([[formatPlatform(source.platform), image]]), metadata: new Map() };
    };
    const layout = join(folder, 'layout');
    const events = engine.drive(
      frontend,
      {
        frontend: 'base',
        options: {},
        platforms: [source.platform],
        exports: [{ type: 'oci', sink: 'base', tar: false, names: [] }],
        allow: [],
        annotations: [],
      },
      { ...NO_HOST, credentials: this.#host.credentials, sink: () => ({ kind: 'folder', path: layout }) },
      { signal },
    );
    for await (const event of events) if (event.kind === 'log') for (const line of linesOf(event.chunk)) say(line);
    const opened = openLayout(layout);
    const image = selectImage(opened, { wanted: undefined, what: source.reference });
    const descriptor = image.descriptor ?? (await descriptorOf(await image.open()));
    const manifest = await collect(await opened.blobs.open(descriptor, { signal }), { what: 'a manifest' });
    const { config } = JSON.parse(Buffer.from(manifest).toString()) as { config: typeof descriptor };
    return {
      digest: descriptor.digest,
      config: await collect(await opened.blobs.open(config, { signal }), { what: 'a config' }),
      blobs: opened.blobs,
    };
  };

  async #opened(): Promise<Engine> {
    return this.#left.use(await this.#open());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#made.values());
    await this.#left.disposeAsync();
  }
}

function linesOf(chunk: Uint8Array): readonly string[] {
  return Buffer.from(chunk)
    .toString()
    .split('\n')
    .filter((line) => line !== '');
}

function absent(): never {
  throw new TypeError('making a base asks for nothing of this');
}

const NO_HOST: BuildHost = {
  files: absent,
  secret: async () => undefined,
  agent: absent,
  credentials: async () => undefined,
  blobs: absent,
  sink: absent,
};
