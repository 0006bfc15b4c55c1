import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { hasErrno, type Random } from '../../base/index.ts';
import type { Digest } from '../../blob/index.ts';
import type { ManifestStore, StoredManifest } from './manifest-store.ts';

/**
 * `<folder>/<repository>/` with `_manifests/<digest>` (first line the media type, then the content), `_tags/<tag>` (a digest), `_blobs/<digest>` and `_referrers/<subject>/<digest>` (empty). The ":" of a digest is
 * written as "-"; no part of a repository's name begins with "_". Files are synced and renamed.
 */
export class DiskManifestStore implements ManifestStore {
  readonly #folder: string;
  readonly #random: Random;

  constructor(folder: string, o: { random: Random }) {
    this.#folder = folder;
    this.#random = o.random;
  }

  async get(repository: string, reference: string): Promise<StoredManifest | undefined> {
    const digest = isTag(reference) ? this.#read(repository, '_tags', reference)?.toString() : reference;
    const file = digest === undefined ? undefined : this.#read(repository, '_manifests', nameOf(digest));
    if (!file) return undefined;
    const end = file.indexOf(10);
    return { mediaType: file.toString('utf8', 0, end), digest: digest as Digest, content: file.subarray(end + 1) };
  }

  async put(
    repository: string,
    manifest: StoredManifest,
    o: { tags: readonly string[]; subject?: Digest | undefined },
  ): Promise<void> {
    const content = Buffer.concat([Buffer.from(`${manifest.mediaType}\n`), manifest.content]);
    this.#write(content, repository, '_manifests', nameOf(manifest.digest));
    if (o.subject !== undefined)
      this.#write(Buffer.alloc(0), repository, '_referrers', nameOf(o.subject), nameOf(manifest.digest));
    for (const tag of o.tags) this.#write(Buffer.from(manifest.digest), repository, '_tags', tag);
  }

  async remove(repository: string, reference: string): Promise<boolean> {
    if (isTag(reference)) return this.#remove(repository, '_tags', reference);
    for (const tag of this.#names(repository, '_tags'))
      if (this.#read(repository, '_tags', tag)?.toString() === reference) this.#remove(repository, '_tags', tag);
    for (const subject of this.#names(repository, '_referrers'))
      this.#remove(repository, '_referrers', subject, nameOf(reference));
    return this.#remove(repository, '_manifests', nameOf(reference));
  }

  async tags(repository: string): Promise<readonly string[] | undefined> {
    const known = ['_manifests', '_tags', '_blobs'].some((part) => existsSync(join(this.#folder, repository, part)));
    return known ? this.#names(repository, '_tags') : undefined;
  }

  async repositories(): Promise<readonly string[]> {
    const found: string[] = [];
    const walk = (repository: string): void => {
      const names = this.#names(repository);
      if (names.some((name) => name.startsWith('_'))) found.push(repository);
      for (const name of names) if (!name.startsWith('_')) walk(repository === '' ? name : `${repository}/${name}`);
    };
    walk('');
    return found.sort();
  }

  async referrers(repository: string, subject: Digest): Promise<readonly StoredManifest[]> {
    const found: StoredManifest[] = [];
    for (const name of this.#names(repository, '_referrers', nameOf(subject))) {
      const manifest = await this.get(repository, name.replace('-', ':'));
      if (manifest) found.push(manifest);
    }
    return found;
  }

  async link(repository: string, blob: Digest): Promise<void> {
    this.#write(Buffer.alloc(0), repository, '_blobs', nameOf(blob));
  }

  async isLinked(repository: string, blob: Digest): Promise<boolean> {
    return existsSync(join(this.#folder, repository, '_blobs', nameOf(blob)));
  }

  async unlink(repository: string, blob: Digest): Promise<boolean> {
    return this.#remove(repository, '_blobs', nameOf(blob));
  }

  #names(...parts: readonly string[]): string[] {
    try {
      return readdirSync(join(this.#folder, ...parts))
        .filter((name) => !name.startsWith('.'))
        .sort();
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  }

  #read(...parts: readonly string[]): Buffer | undefined {
    try {
      return readFileSync(join(this.#folder, ...parts));
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'ENAMETOOLONG')) return undefined;
      throw error;
    }
  }

  #write(content: Uint8Array, ...parts: readonly string[]): void {
    const path = join(this.#folder, ...parts);
    mkdirSync(dirname(path), { recursive: true });
    const temporary = join(dirname(path), `.${this.#random.hex(6)}.tmp`);
    const fd = openSync(temporary, 'wx');
    try {
      writeSync(fd, content);
      if (content.length > 0) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  }

  #remove(...parts: readonly string[]): boolean {
    const path = join(this.#folder, ...parts);
    if (!existsSync(path)) return false;
    rmSync(path, { force: true });
    return true;
  }
}

function isTag(reference: string): boolean {
  return !reference.includes(':');
}

function nameOf(digest: string): string {
  return digest.replace(':', '-');
}
