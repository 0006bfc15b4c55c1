import { resolve } from 'node:path';
import { isDigest, type Digest } from '../../../blob/index.ts';
import type { CacheStoreType } from '../../../cloud/index.ts';
import type { CacheExport } from '../../../engine/index.ts';
import { canonicalReference, parseReference } from '../../../image/index.ts';
import { usage } from '../errors.ts';
import { CLOUD_CACHES, cloudCacheName, takeCloudCache, type CloudCache } from './cloud-cache.ts';
import { compressionOfOutput } from './compression.ts';
import { csvFields, csvPairs } from './csv.ts';
import { booleanOf } from './values.ts';

/** Where a cache is read from; a folder is looked into when the build begins. */
export type CacheFrom =
  | { readonly type: 'registry'; readonly ref: string; readonly insecure?: boolean | undefined }
  | {
      readonly type: 'local';
      readonly folder: string;
      /** The folder as it was written. */
      readonly name: string;
      readonly tag: string;
      readonly digest?: Digest | undefined;
    }
  | CloudCache;

/** `--cache-to`, with the folders that it writes into by the name of their sink. */
export interface CacheToPlan {
  readonly exports: readonly CacheExport[];
  readonly folders: ReadonlyMap<string, string>;
  /** By the name that they are offered under. */
  readonly objects: ReadonlyMap<string, CloudCache>;
}

const TYPES: readonly string[] = ['registry', 'local', 'inline', ...CLOUD_CACHES];

/** `--cache-from`: `type=registry,ref=…`, `type=local,src=…`, or references alone (buildx, util/buildflags/cache.go). */
export function cacheFrom(texts: readonly string[], o: { cwd: string }): readonly CacheFrom[] {
  return entriesOf(texts, '--cache-from').map((entry) => {
    if (entry.type === 'inline')
      throw entry.bad('a cache inside an image is read by its name', 'Write type=registry,ref=NAME.');
    if (entry.type === 'registry') {
      const found = { type: 'registry', ref: entry.reference(), insecure: entry.boolean('registry.insecure') } as const;
      entry.end();
      return found;
    }
    const cloud = entry.cloud();
    if (cloud) {
      entry.end();
      return cloud;
    }
    const src = entry.needed('src');
    const digest = entry.text('digest');
    if (digest !== undefined && !isDigest(digest)) throw entry.bad(`digest "${digest}" is none`);
    const tag = entry.text('tag') ?? 'latest';
    entry.end();
    return { type: 'local', folder: resolve(o.cwd, src), name: src, tag, digest };
  });
}

/** `--cache-to`: as `--cache-from`, and `type=inline`. */
export function cacheTo(texts: readonly string[], o: { cwd: string }): CacheToPlan {
  const folders = new Map<string, string>();
  const objects = new Map<string, CloudCache>();
  const exports = entriesOf(texts, '--cache-to').map((entry, at): CacheExport => {
    const mode = entry.text('mode') ?? 'min';
    if (mode !== 'min' && mode !== 'max') throw entry.bad(`there is no mode "${mode}"`, 'Use mode=min or mode=max.');
    const oci = entry.boolean('oci-mediatypes') ?? true;
    const asManifest = entry.boolean('image-manifest');
    if (!oci && asManifest === true)
      throw entry.bad('image-manifest=true needs oci-mediatypes=true', 'Leave one of the two out.');
    const content = {
      mode,
      compression: compressionOfOutput({
        name: entry.text('compression'),
        level: entry.text('compression-level'),
        bad: (detail, remedy) => entry.bad(detail, remedy),
      }),
      forceCompression: entry.boolean('force-compression'),
      docker: oci ? undefined : true,
      asIndex: (asManifest ?? oci) ? undefined : true,
      mounts: entry.boolean('mounts'),
      ignoreError: entry.boolean('ignore-error'),
    } as const;
    if (entry.type === 'inline') {
      entry.end();
      return { type: 'inline' };
    }
    if (entry.type === 'registry') {
      const ref = entry.reference();
      if (parseReference(ref).digest !== undefined) throw entry.bad('a cache is written under a tag, not a digest');
      const insecure = entry.boolean('registry.insecure');
      entry.end();
      return { ...content, type: 'registry', ref, insecure };
    }
    const cloud = entry.cloud();
    if (cloud) {
      entry.end();
      const store = `cache-to-${at}`;
      objects.set(store, cloud);
      return { ...content, type: 'objects', store, name: cloudCacheName(cloud) };
    }
    const dest = entry.needed('dest');
    const sink = `cache-${at}`;
    folders.set(sink, resolve(o.cwd, dest));
    const tag = entry.text('tag') ?? 'latest';
    entry.end();
    return { ...content, type: 'local', sink, name: dest, tag };
  });
  if (exports.filter(({ type }) => type === 'inline').length > 1)
    throw usage('read --cache-to: type=inline is there twice', 'Give it once.');
  return { exports, folders, objects };
}

function entriesOf(texts: readonly string[], flag: string): readonly Entry[] {
  return texts
    .filter((text) => text !== '')
    .flatMap((text) => {
      const fields = csvFields(text, flag);
      if (fields.every((field) => !field.includes('=')))
        return fields.map((ref) => new Entry({ flag, text, type: 'registry', attributes: new Map([['ref', ref]]) }));
      const attributes = csvPairs(text, flag);
      const type = attributes.get('type');
      attributes.delete('type');
      const entry = new Entry({ flag, text, type: type as Entry['type'], attributes });
      if (type === undefined) throw entry.bad('the type is missing', `Use type= and one of: ${TYPES.join(', ')}.`);
      if (!TYPES.includes(type))
        throw entry.bad(`there is no type "${type}"`, `Use type= and one of: ${TYPES.join(', ')}.`);
      return [entry];
    });
}

/** One value of a flag, whose attributes are taken one by one; what is left at the end is unknown. */
class Entry {
  readonly type: 'registry' | 'local' | 'inline' | CacheStoreType;
  readonly #flag: string;
  readonly #text: string;
  readonly #attributes: Map<string, string>;

  constructor(o: { flag: string; text: string; type: Entry['type']; attributes: Map<string, string> }) {
    this.type = o.type;
    this.#flag = o.flag;
    this.#text = o.text;
    this.#attributes = o.attributes;
  }

  bad(detail: string, remedy?: string): Error {
    return usage(`read ${this.#flag} "${this.#text}": ${detail}`, remedy);
  }

  text(name: string): string | undefined {
    const value = this.#attributes.get(name);
    this.#attributes.delete(name);
    return value;
  }

  needed(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === '')
      throw this.bad(`"${name}" is missing`, `Write type=${this.type},${name}=…`);
    return value;
  }

  /** The canonical form of `ref`. Throws `REFERENCE_INVALID`. */
  reference(): string {
    return canonicalReference(parseReference(this.needed('ref')));
  }

  boolean(name: string): boolean | undefined {
    const value = this.text(name);
    return value === undefined ? undefined : booleanOf(value, `cache attribute "${name}"`);
  }

  /** Undefined where it is none. */
  cloud(): CloudCache | undefined {
    return takeCloudCache(this.type, this.#attributes);
  }

  end(): void {
    const [left] = this.#attributes.keys();
    if (left !== undefined) throw this.bad(`type=${this.type} has no attribute "${left}"`);
  }
}
