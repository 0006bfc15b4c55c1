import { execFileSync } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { bytesOf } from '../../src/base/index.ts';
import { digestOf, type Descriptor, type Digest } from '../../src/blob/index.ts';
import { registryOf } from '../../src/registry/testing/world.ts';
import { block, header, octal } from '../../src/tree/tar-blocks.suite.ts';

/** An entry as a hostile hand would write it: nothing is cleaned or checked. */
export interface RawEntry {
  readonly name: string;
  readonly type?: 'file' | 'folder' | 'symlink' | 'link' | undefined;
  readonly content?: string | Uint8Array | undefined;
  readonly target?: string | undefined;
  readonly mode?: number | undefined;
}

const TYPES = { file: '0', link: '1', symlink: '2', folder: '5' } as const;

export function rawTar(entries: readonly RawEntry[]): Buffer {
  const parts: Buffer[] = [];
  for (const { name, type = 'file', content = '', target = '', mode } of entries) {
    const bytes = Buffer.from(content);
    const bits = (mode ?? (type === 'folder' ? 0o755 : 0o644)).toString(8).padStart(7, '0');
    const isFile = type === 'file';
    parts.push(
      header({ 0: name, 100: `${bits}\0`, 124: octal(isFile ? bytes.length : 0), 156: TYPES[type], 157: target }),
    );
    if (isFile) parts.push(block(bytes));
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** A root with this machine's own shell in it and nothing else: enough for a RUN of shell built-ins. */
export function shellRoot(): RawEntry[] {
  const said = execFileSync('ldd', ['/bin/sh'], { encoding: 'utf8' });
  const files = ['/bin/sh', ...[...said.matchAll(/(?:^|=>)\s*(\/\S+) \(/gm)].map((match) => match[1] ?? '')];
  const folders = new Set(['etc', 'tmp']);
  for (const file of files) {
    const parts = file.slice(1).split('/').slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth++) folders.add(parts.slice(0, depth).join('/'));
  }
  return [
    ...[...folders].sort().map((name): RawEntry => ({ name: `${name}/`, type: 'folder' })),
    ...files.map((file): RawEntry => ({ name: file.slice(1), content: readFileSync(realpathSync(file)), mode: 0o755 })),
  ];
}

export interface CraftedImage {
  readonly name: string;
  readonly manifest: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** A registry in this process whose images are put together from raw bytes. */
export async function craftedRegistry(): Promise<
  {
    readonly url: URL;
    readonly host: string;
    /** Keeps an image `repository:latest`. Layers are tars; `damage` changes a layer's compressed bytes before they are named. */
    image(
      repository: string,
      tars: readonly Buffer[],
      o?: { damage?: ((blob: Buffer, index: number) => Buffer) | undefined },
    ): Promise<CraftedImage>;
  } & AsyncDisposable
> {
  const registry = await registryOf();
  const put = async (repository: string, content: Uint8Array, mediaType: string): Promise<Descriptor> => {
    const descriptor = await registry.blobs.put(bytesOf(content), { mediaType });
    await registry.manifests.link(repository, descriptor.digest);
    return descriptor;
  };
  return {
    url: registry.server.url,
    host: registry.server.host,
    async image(repository, tars, o = {}) {
      const diffIds: Digest[] = tars.map((tar) => digestOf(tar));
      const layers: Descriptor[] = [];
      for (const [index, tar] of tars.entries()) {
        const blob = gzipSync(tar);
        layers.push(
          await put(repository, o.damage?.(blob, index) ?? blob, 'application/vnd.oci.image.layer.v1.tar+gzip'),
        );
      }
      const architecture = process.arch === 'x64' ? 'amd64' : process.arch;
      const config = await put(
        repository,
        Buffer.from(
          JSON.stringify({
            architecture,
            os: 'linux',
            config: { Env: ['PATH=/usr/bin:/bin'] },
            rootfs: { type: 'layers', diff_ids: diffIds },
            history: tars.map(() => ({ created_by: 'crafted' })),
          }),
        ),
        'application/vnd.oci.image.config.v1+json',
      );
      const mediaType = 'application/vnd.oci.image.manifest.v1+json';
      const content = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, config, layers }));
      const manifest = { mediaType, digest: digestOf(content), size: content.length };
      await registry.manifests.put(repository, { mediaType, digest: manifest.digest, content }, { tags: ['latest'] });
      return { name: `${registry.server.host}/${repository}`, manifest, layers };
    },
    [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose](),
  };
}
