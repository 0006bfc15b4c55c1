import type { Clock, Random, Wait } from '../../base/index.ts';
import { isDigest, type BlobReader, type BlobWriter, type Descriptor } from '../../blob/index.ts';
import type { CacheExport } from '../../engine/index.ts';
import type { BuildHost } from '../../worker/index.ts';
import { remoteError } from './errors.ts';
import type { RemoteExport } from './exporters.ts';
import { LayoutSpool } from './layout-spool.ts';

interface Target {
  /** As the daemon names the store. */
  readonly id: string;
  readonly spool: LayoutSpool;
  readonly names?: readonly string[] | undefined;
  readonly refs?: readonly string[] | undefined;
  /** What of the daemon's answer names what it has written. */
  readonly said: (response: Readonly<Record<string, string>>) => Descriptor | undefined;
}

/** The layouts of this side that a build on a daemon writes to: an output, and caches in folders. */
export class LayoutSpools implements Disposable {
  readonly #targets: readonly Target[];
  readonly #left: DisposableStack;

  /** Throws `REMOTE_UNSUPPORTED`. */
  constructor(o: {
    readonly exports: readonly RemoteExport[];
    readonly caches: readonly Extract<CacheExport, { readonly type: 'local' }>[];
    readonly host: Pick<BuildHost, 'sink'>;
    readonly clock: Clock;
    readonly random: Random;
  }) {
    const layouts = o.exports.filter(({ layout }) => layout === true);
    if (layouts.length > 1)
      throw remoteError('REMOTE_UNSUPPORTED', 'write several OCI layouts as folders: BuildKit has one name for them', {
        remedy: 'Write archives: -o type=oci,dest=FILE.',
      });
    using opened = new DisposableStack();
    const spoolOf = (sink: string, what: string): LayoutSpool =>
      opened.use(new LayoutSpool(o.host.sink(sink), { what, ...o }));
    this.#targets = [
      ...layouts.map(({ sink = '', Attrs: attrs }): Target => {
        const names = attrs['name']?.split(',') ?? [];
        return { id: 'export', spool: spoolOf(sink, 'an OCI layout'), names, said: imageOf };
      }),
      ...o.caches.map(({ sink, name, tag }): Target => ({
        id: `local:${name}`,
        spool: spoolOf(sink, `the cache "${name}"`),
        refs: [tag],
        said: cacheOf,
      })),
    ];
    this.#left = opened.move();
  }

  /** By the daemon's names. */
  get stores(): readonly (readonly [string, BlobReader & BlobWriter])[] {
    return this.#targets.map(({ id, spool }) => [id, spool] as const);
  }

  /** Puts what has come where it belongs. Throws `REMOTE_INVALID`. */
  async finish(response: Readonly<Record<string, string>>, w: Wait): Promise<void> {
    for (const { spool, said, names, refs } of this.#targets) await spool.finish(said(response), { names, refs, ...w });
  }

  [Symbol.dispose](): void {
    this.#left[Symbol.dispose]();
  }
}

function imageOf({ 'containerimage.descriptor': said }: Readonly<Record<string, string>>): Descriptor | undefined {
  return said === undefined ? undefined : descriptorOf(Buffer.from(said, 'base64').toString());
}

/** BuildKit's word for the manifest of a cache that it has written (client/solve.go). */
function cacheOf({ 'cache.manifest': said }: Readonly<Record<string, string>>): Descriptor | undefined {
  return said === undefined ? undefined : descriptorOf(said);
}

function descriptorOf(text: string): Descriptor | undefined {
  try {
    const { mediaType, digest, size } = JSON.parse(text) as Partial<Descriptor>;
    return typeof mediaType === 'string' && typeof digest === 'string' && isDigest(digest) && typeof size === 'number'
      ? { mediaType, digest, size }
      : undefined;
  } catch {
    return undefined;
  }
}
