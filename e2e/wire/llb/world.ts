import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bytesOf } from '../../../src/base/index.ts';
import { digestOf, MemoryBlobStore, type Digest } from '../../../src/blob/index.ts';
import { registryOf } from '../../../src/registry/testing/world.ts';
import { DefinitionSchema, type Definition } from '../../../src/wire/gen/buildkit/ops_pb.ts';
import { toBinary } from '../../../src/wire/grpc/index.ts';
import { FileServer } from '../../lib/file-server.ts';
import { GitServer } from '../../lib/git-server.ts';
import { BASE, storeWithBase } from '../../lib/store.ts';
import { ok } from '../../lib/strake.ts';

/** What definitions are made of: a base in a registry, a context, a web server, a repository, a small image in a layout. */
export interface World extends AsyncDisposable {
  /** A strake store. */
  readonly root: string;
  readonly work: string;
  readonly context: string;
  readonly image: string;
  readonly unique: string;
  readonly web: string;
  readonly webDigest: Digest;
  readonly git: string;
  readonly commit: string;
  readonly small: Digest;
  readonly blobs: MemoryBlobStore;
  /** Bytes of blobs. */
  readonly sizes: ReadonlyMap<Digest, number>;
  readonly encoded: (definition: Definition) => Uint8Array;
}

/** A blob store with an image of two layers, `/one` and `/two`. */
async function smallImage(work: string): Promise<Pick<World, 'small' | 'blobs' | 'sizes'>> {
  const blobs = new MemoryBlobStore();
  const sizes = new Map<Digest, number>();
  const put = async (content: Uint8Array, mediaType: string) => {
    const descriptor = await blobs.put(bytesOf(content), { mediaType });
    sizes.set(descriptor.digest, content.length);
    return descriptor;
  };
  const json = (value: unknown, kind: string) =>
    put(Buffer.from(JSON.stringify(value)), `application/vnd.oci.image.${kind}.v1+json`);
  const layers = [];
  for (const name of ['one', 'two']) {
    const folder = join(work, `layer-${name}`);
    mkdirSync(folder);
    writeFileSync(join(folder, name), `${name}\n`);
    const tar = execFileSync('tar', [
      '--owner=0',
      '--group=0',
      '--mtime=@1',
      '--mode=0644',
      '-C',
      folder,
      '-cf',
      '-',
      name,
    ]);
    layers.push(await put(tar, 'application/vnd.oci.image.layer.v1.tar'));
  }
  const config = await json(
    {
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      history: layers.map(() => ({ created_by: 'test' })),
    },
    'config',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const { digest } = await json({ schemaVersion: 2, mediaType, config, layers }, 'manifest');
  return { small: digest, blobs, sizes };
}

function contextIn(work: string): string {
  const context = join(work, 'context');
  mkdirSync(join(context, 'dir/sub'), { recursive: true });
  const files = {
    'dir/file': 'file\n',
    'dir/sub/x': 'x\n',
    'dir/sub/x.log': 'log\n',
    'run.sh': '#!/bin/sh\n',
    other: 'other\n',
  };
  for (const [path, content] of Object.entries(files))
    writeFileSync(join(context, path), content, { mode: path === 'run.sh' ? 0o755 : 0o644 });
  symlinkSync('dir/file', join(context, 'link'));
  execFileSync('tar', [
    '--mtime=@1',
    '--owner=5',
    '--group=6',
    '-C',
    context,
    '-czf',
    join(context, 'archive.tar.gz'),
    'dir',
  ]);
  for (const path of readdirSync(context, { recursive: true, encoding: 'utf8' }))
    if (path !== 'link') utimesSync(join(context, path), 1_000_000, 1_000_000);
  return context;
}

/** `push`: the base is in the registry, too; else in strake's store alone. */
export async function openWorld(o: { readonly push: boolean }): Promise<World> {
  await using scope = new AsyncDisposableStack();
  const store = scope.use(await storeWithBase());
  const { root, work } = store;
  const registry = scope.use(await registryOf());
  const image = `${registry.server.host}/base:1`;
  mkdirSync(join(work, 'base'));
  writeFileSync(join(work, 'base/Dockerfile'), `FROM ${BASE}\n`);
  await ok(['build', '-q', '-t', image, join(work, 'base')], { root });
  if (o.push) await ok(['push', '--compression=zstd', image], { root });
  const web = scope.use(await FileServer.open());
  web.file('/file.txt', 'of the web\n', { 'last-modified': 'Thu, 01 Jan 1970 00:01:00 GMT' });
  const git = scope.use(await GitServer.open());
  const repository = git.repository('r.git');
  const commit = repository.commit({ README: 'read\n', 'sub/in': 'in\n' });
  repository.git('tag', 'v1');
  const small = await smallImage(work);
  const owned = scope.move();
  return {
    ...small,
    root,
    work,
    image,
    commit,
    context: contextIn(work),
    unique: `c${Buffer.from(work).toString('hex').slice(-16)}`,
    web: web.url,
    webDigest: digestOf('of the web\n'),
    git: `${git.url}/r.git`,
    encoded: (definition) => toBinary(DefinitionSchema, definition),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
