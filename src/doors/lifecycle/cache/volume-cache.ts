import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileBytes, hasErrno, reasonOf, throwIfCancelled, type Wait } from '../../../base/index.ts';
import { Digester, type Digest } from '../../../blob/index.ts';
import {
  encodeCacheMetadata,
  LABELS,
  parseCacheMetadata,
  type CacheMetadata,
} from '../../../frontend/buildpack/index.ts';
import { tarFileTree, type FileTree } from '../../../tree/index.ts';
import { lifecycleError } from '../errors.ts';
import type { BuildCache, CachedLayer } from './build-cache.ts';

/** A layer whose tar is made when it is not there already. */
export interface WantedLayer extends Omit<CachedLayer, 'tar'> {
  readonly tar: () => Promise<string>;
}

/**
 * A cache in a folder, as the lifecycle writes and reads it (lifecycle cache/volume_cache.go): `committed/` has one `sha256:<hex>.tar` for each layer and the metadata; what is to take its place is made in `staging/`, and
 * `committed-backup/` is the old one for the moment in between. Whenever a machine goes down, one of both is whole, and a tar that did not reach the disk is found out by its digest.
 */
export class VolumeCache implements BuildCache {
  readonly name: string;
  readonly #committed: string;
  readonly #staging: string;
  readonly #backup: string;

  /** Throws `LIFECYCLE_CACHE_FAILED` where there is no such folder. */
  constructor(folder: string) {
    this.name = folder;
    this.#committed = join(folder, 'committed');
    this.#staging = join(folder, 'staging');
    this.#backup = join(folder, 'committed-backup');
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory())
      throw lifecycleError('LIFECYCLE_CACHE_FAILED', `open the cache "${folder}": there is no such folder`, {
        remedy: 'Mount the volume of the cache there, or name another folder with -cache-dir.',
      });
    // Somebody stopped between two renames.
    if (!existsSync(this.#committed) && existsSync(this.#backup)) renameSync(this.#backup, this.#committed);
  }

  async metadata(): Promise<CacheMetadata> {
    let text = '';
    try {
      text = readFileSync(join(this.#committed, LABELS.cacheMetadata), 'utf8');
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
    return parseCacheMetadata(text);
  }

  async layer(diffId: Digest, w?: Wait): Promise<FileTree> {
    const path = this.#tar(this.#committed, diffId);
    if (!existsSync(path)) throw failed(`read "${path}": there is no such file`);
    const digest = await digestOfFile(path, w);
    if (digest !== diffId) throw failed(`read "${path}": its content has digest ${digest}`);
    return tarFileTree(path, w);
  }

  /** A layer that is there, without a look at its content. */
  find(diffId: Digest): CachedLayer | undefined {
    const tar = this.#tar(this.#committed, diffId);
    const size = statSync(tar, { throwIfNoEntry: false })?.size;
    return size === undefined ? undefined : { diffId, size, tar };
  }

  async replace(metadata: CacheMetadata, o: { layers: readonly (CachedLayer | WantedLayer)[] } & Wait): Promise<void> {
    try {
      rmSync(this.#staging, { recursive: true, force: true });
      mkdirSync(this.#staging, { recursive: true });
      for (const layer of o.layers) {
        throwIfCancelled(o);
        await this.#stage(layer, o);
      }
      writeFileSync(join(this.#staging, LABELS.cacheMetadata), encodeCacheMetadata(metadata));
      rmSync(this.#backup, { recursive: true, force: true });
      const before = existsSync(this.#committed);
      if (before) renameSync(this.#committed, this.#backup);
      try {
        renameSync(this.#staging, this.#committed);
      } catch (error) {
        if (before) renameSync(this.#backup, this.#committed);
        throw error;
      }
      rmSync(this.#backup, { recursive: true, force: true });
    } catch (error) {
      if (typeof (error as { code?: unknown }).code !== 'string') throw error;
      throw failed(`write the cache "${this.name}": ${reasonOf(error)}`, error);
    }
  }

  /** By a link to the one that is there already, where that is whole. */
  async #stage({ diffId, tar, size }: CachedLayer | WantedLayer, w: Wait): Promise<void> {
    const to = this.#tar(this.#staging, diffId);
    if (existsSync(to)) return;
    const own = this.#tar(this.#committed, diffId);
    const known = statSync(own, { throwIfNoEntry: false })?.size === size && (await digestOfFile(own, w)) === diffId;
    try {
      if (known) return linkSync(own, to);
    } catch (error) {
      if (!hasErrno(error, 'EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'EMLINK')) throw error;
    }
    copyFileSync(typeof tar === 'string' ? tar : await tar(), to);
  }

  #tar(folder: string, diffId: Digest): string {
    return join(folder, `${diffId}.tar`);
  }
}

async function digestOfFile(path: string, w?: Wait): Promise<Digest> {
  const digester = new Digester();
  for await (const chunk of fileBytes(path, w)) digester.update(chunk);
  return digester.digest();
}

function failed(message: string, cause?: unknown): Error {
  return lifecycleError('LIFECYCLE_CACHE_FAILED', message, {
    ...(cause === undefined ? {} : { cause }),
    remedy: 'The build goes on without it; a cache that is damaged can be emptied.',
  });
}
