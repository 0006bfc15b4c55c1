import type { Digest } from '../../blob/index.ts';

export interface StoredManifest {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly content: Uint8Array;
}

/** What a registry knows beside the bytes of blobs: which repository holds what, under which names. */
export interface ManifestStore {
  /** By tag or digest. */
  get(repository: string, reference: string): Promise<StoredManifest | undefined>;
  /** Keeps a manifest and points the tags at it. `subject` is what it refers to. */
  put(
    repository: string,
    manifest: StoredManifest,
    o: { tags: readonly string[]; subject?: Digest | undefined },
  ): Promise<void>;
  /** A tag is taken away alone, a digest with its tags. False when there was none. */
  remove(repository: string, reference: string): Promise<boolean>;
  /** In lexical order; undefined where there is no such repository. */
  tags(repository: string): Promise<readonly string[] | undefined>;
  /** In lexical order. */
  repositories(): Promise<readonly string[]>;
  /** Those that name `subject`, in order of their digests. */
  referrers(repository: string, subject: Digest): Promise<readonly StoredManifest[]>;
  /** A blob can be read in the repositories that it is linked to only. */
  link(repository: string, blob: Digest): Promise<void>;
  isLinked(repository: string, blob: Digest): Promise<boolean>;
  unlink(repository: string, blob: Digest): Promise<boolean>;
}

interface Repository {
  readonly manifests: Map<Digest, StoredManifest & { readonly subject: Digest | undefined }>;
  readonly tags: Map<string, Digest>;
  readonly blobs: Set<Digest>;
}

export class MemoryManifestStore implements ManifestStore {
  readonly #repositories = new Map<string, Repository>();

  async get(repository: string, reference: string): Promise<StoredManifest | undefined> {
    const known = this.#repositories.get(repository);
    return known?.manifests.get(known.tags.get(reference) ?? (reference as Digest));
  }

  async put(
    repository: string,
    manifest: StoredManifest,
    o: { tags: readonly string[]; subject?: Digest | undefined },
  ): Promise<void> {
    const { manifests, tags } = this.#open(repository);
    manifests.set(manifest.digest, { ...manifest, subject: o.subject });
    for (const tag of o.tags) tags.set(tag, manifest.digest);
  }

  async remove(repository: string, reference: string): Promise<boolean> {
    const known = this.#repositories.get(repository);
    if (!known) return false;
    if (known.tags.delete(reference)) return true;
    for (const [tag, digest] of known.tags) if (digest === reference) known.tags.delete(tag);
    return known.manifests.delete(reference as Digest);
  }

  async tags(repository: string): Promise<readonly string[] | undefined> {
    const known = this.#repositories.get(repository);
    return known && [...known.tags.keys()].sort();
  }

  async repositories(): Promise<readonly string[]> {
    return [...this.#repositories.keys()].sort();
  }

  async referrers(repository: string, subject: Digest): Promise<readonly StoredManifest[]> {
    const manifests = [...(this.#repositories.get(repository)?.manifests.values() ?? [])];
    return manifests.filter((one) => one.subject === subject).sort((a, b) => (a.digest < b.digest ? -1 : 1));
  }

  async link(repository: string, blob: Digest): Promise<void> {
    this.#open(repository).blobs.add(blob);
  }

  async isLinked(repository: string, blob: Digest): Promise<boolean> {
    return this.#repositories.get(repository)?.blobs.has(blob) ?? false;
  }

  async unlink(repository: string, blob: Digest): Promise<boolean> {
    return this.#repositories.get(repository)?.blobs.delete(blob) ?? false;
  }

  #open(name: string): Repository {
    let repository = this.#repositories.get(name);
    if (!repository) {
      repository = { manifests: new Map(), tags: new Map(), blobs: new Set() };
      this.#repositories.set(name, repository);
    }
    return repository;
  }
}
