import type { Wait } from '../../base/index.ts';
import { parseDigest, type BlobReader, type Digest, type Platform } from '../../blob/index.ts';
import type { Resolved } from '../../frontend/index.ts';
import type { PackagesSource, Source, SourceOp, SourcePolicy } from '../../graph/index.ts';
import { hostPlatform, parseReference } from '../../image/index.ts';
import { decodeSource, encodeSource, policedSource, toWirePlatform } from '../../wire/buildkit/index.ts';
import type { SourceOp as WireSource } from '../../wire/gen/buildkit/ops_pb.ts';
import { timestampMs } from '../../wire/grpc/index.ts';
import type { Bridge } from './bridge.ts';
import { remoteError } from './errors.ts';

/** An image made here, that a daemon elsewhere gets as it asks for its blobs. */
export interface LocalImage {
  /** Its manifest's. */
  readonly digest: Digest;
  readonly config: Uint8Array;
  readonly blobs: BlobReader;
}

/** The session that layouts are offered by. */
export interface OfferingSession {
  readonly id: string;
  offerStore(name: string): void;
}

/** Makes a base of packages here: BuildKit knows no such source. */
export type MakeBase = (
  source: PackagesSource,
  o: { readonly say: (line: string) => void } & Wait,
) => Promise<LocalImage>;

type Task = <T>(name: string, work: (say: (line: string) => void) => Promise<T>) => Promise<T>;

/** Pins sources by asking the daemon, and bases of packages by making them here. */
export class SourceResolver {
  readonly #bridge: Bridge;
  readonly #makeBase: MakeBase | undefined;
  readonly #configs: Map<string, Uint8Array>;
  readonly #made: Map<string, BlobReader>;
  readonly #session: OfferingSession;
  readonly #policies: readonly SourcePolicy[];

  /** `made`: takes the images made here, by the name of the store that they are offered as. */
  constructor(o: {
    readonly bridge: Bridge;
    readonly makeBase?: MakeBase | undefined;
    readonly made: Map<string, BlobReader>;
    readonly session: OfferingSession;
    /** Takes the configs of images, by their source. */
    readonly configs: Map<string, Uint8Array>;
    readonly policies: readonly SourcePolicy[];
  }) {
    this.#policies = o.policies;
    this.#configs = o.configs;
    this.#bridge = o.bridge;
    this.#makeBase = o.makeBase;
    this.#made = o.made;
    this.#session = o.session;
  }

  /** The config of an image source that was resolved. */
  configOf(op: SourceOp): Uint8Array | undefined {
    return this.#configs.get(JSON.stringify(op.source));
  }

  async resolve(op: SourceOp, o: { readonly task: Task } & Wait): Promise<Resolved> {
    // What the daemon is not asked about it cannot look at.
    const source = op.source.type === 'packages' ? policedSource(op.source, this.#policies) : op.source;
    switch (source.type) {
      case 'packages':
        return this.#ofPackages(source, o);
      case 'image':
      case 'oci-layout':
        return this.#ofImage(source, o);
      case 'git':
      case 'http':
        return this.#ofWeb(source, o);
      default:
        return { source: { kind: 'source', source } };
    }
  }

  async #ofPackages(source: PackagesSource, o: { readonly task: Task } & Wait): Promise<Resolved> {
    const { reference, platform } = source;
    const make = this.#makeBase;
    if (!make)
      throw remoteError('REMOTE_UNSUPPORTED', `make base "${reference}": nothing here makes bases of packages`);
    const made = await o.task(`[internal] make ${reference} here`, (say) => make(source, { say, signal: o.signal }));
    const store = `packages.local/base-${made.digest.slice('sha256:'.length, 'sha256:'.length + 16)}`;
    this.#made.set(store, made.blobs);
    this.#session.offerStore(store);
    return this.#known({ type: 'oci-layout', store, digest: made.digest, platform }, made);
  }

  #known(source: Source, o: { readonly digest: Digest; readonly config: Uint8Array }): Resolved {
    this.#configs.set(JSON.stringify(source), o.config);
    return { source: { kind: 'source', source }, digest: o.digest, config: o.config };
  }

  async #ofImage(source: Extract<Source, { type: 'image' | 'oci-layout' }>, w: Wait): Promise<Resolved> {
    if (source.type === 'oci-layout') this.#session.offerStore(source.store);
    const name = source.type === 'image' ? source.reference : `${source.store}@${source.digest}`;
    const found = await this.#ask(source, { name, platform: source.platform, ...w });
    const other = convertedTo(source, found.Source);
    if (other && other.type !== 'image' && other.type !== 'oci-layout')
      return { source: { kind: 'source', source: other } };
    const { Image: image } = found;
    if (!image) throw remoteError('REMOTE_INVALID', `resolve "${name}": the daemon says nothing of an image`);
    const digest = parseDigest(image.Digest);
    const named = other ?? source;
    const pinned = named.type === 'image' ? { ...named, reference: pinnedTo(named.reference, digest) } : named;
    return this.#known(pinned, { digest, config: image.Config });
  }

  async #ofWeb(asked: Extract<Source, { type: 'git' | 'http' }>, w: Wait): Promise<Resolved> {
    const found = await this.#ask(asked, { name: asked.url, ...w });
    const source = convertedTo(asked, found.Source) ?? asked;
    if (source.type !== 'git' && source.type !== 'http') return { source: { kind: 'source', source } };
    if (source.type === 'git') {
      const commit = found.Git?.CommitChecksum || found.Git?.Checksum;
      if (!commit) throw remoteError('REMOTE_INVALID', `resolve "${source.url}": the daemon names no commit`);
      const said = /^committer .* (\d+) [+-]\d{4}$/m.exec(Buffer.from(found.Git?.CommitObject ?? '').toString())?.[1];
      return {
        source: { kind: 'source', source: { ...source, commit } },
        ...(said !== undefined && { time: Number(said) }),
      };
    }
    const checksum = found.HTTP?.Checksum;
    const modified = found.HTTP?.LastModified;
    return {
      source: { kind: 'source', source: { ...source, ...(checksum && { checksum: parseDigest(checksum) }) } },
      ...(modified && { time: Math.floor(timestampMs(modified) / 1000) }),
    };
  }

  #ask(source: Source, o: { readonly name: string; readonly platform?: Platform | undefined } & Wait) {
    const { identifier, attrs } = encodeSource(source);
    return this.#bridge.call(
      (client, options) =>
        client.resolveSourceMeta(
          {
            Source: {
              identifier,
              attrs: { ...attrs, ...(source.type === 'oci-layout' && { 'oci.session': this.#session.id }) },
            },
            ...(o.platform && { Platform: toWirePlatform(o.platform) }),
            LogName: `[internal] load metadata for ${o.name}`,
            ResolveMode: source.type === 'image' ? RESOLVE_MODES[source.pull] : '',
            ...(source.type === 'git' && { Git: { ReturnObject: true } }),
          },
          options,
        ),
      { signal: o.signal },
    );
  }
}

/** What a policy of the daemon's made of a source; undefined where it is still the one that was asked about. */
function convertedTo(asked: Source, found: WireSource | undefined): Source | undefined {
  if (!found || found.identifier === '') return undefined;
  const before = encodeSource(asked);
  const place = (identifier: string, attrs: Readonly<Record<string, string>>): string =>
    identifier.startsWith('git://')
      ? `${attrs['git.fullurl'] ?? ''}#${identifier.split('#')[1] ?? ''}`
      : identifier.replace(/@sha256:[0-9a-f]{64}$/, '');
  if (place(found.identifier, found.attrs) === place(before.identifier, before.attrs)) return undefined;
  const source = decodeSource(found, { platform: 'platform' in asked ? asked.platform : hostPlatform(process) });
  if (source.type !== asked.type) return source;
  // What is said of it only here stays.
  if (source.type === 'image' && asked.type === 'image') return { ...asked, reference: source.reference };
  return source.type === 'git' || source.type === 'http' ? source : undefined;
}

/** BuildKit's words (solver/pb/attr.go). */
const RESOLVE_MODES = { missing: 'default', always: 'pull', never: 'local' } as const;

/** The reference with the digest that it led to. */
function pinnedTo(reference: string, digest: Digest): string {
  return parseReference(reference).digest === undefined ? `${reference}@${digest}` : reference;
}
