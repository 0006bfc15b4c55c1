import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { dockerRegistry } from '../registry/world.ts';

const missing = ['docker-registry', 'skopeo'].filter((tool) => findTool(tool) === undefined);
const skip = missing.length > 0 ? `not installed: ${missing.join(', ')}` : false;
const BOTH = 'linux/amd64,linux/arm64';

interface RawIndex {
  readonly mediaType: string;
  readonly manifests: readonly { readonly platform: { readonly os: string; readonly architecture: string } }[];
}

const run = (command: string, ...args: string[]): string => execFileSync(command, args, { encoding: 'utf8' });
const platformsOf = (raw: string): string[] =>
  (JSON.parse(raw) as RawIndex).manifests.map(({ platform }) => `${platform.os}/${platform.architecture}`);

/** A context whose image says which platform it is for, without running anything. */
function contextIn(store: TestStore): string {
  const context = join(store.work, 'context');
  mkdirSync(context);
  writeFileSync(
    join(context, 'Dockerfile'),
    'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH.txt /arch\nENV ARCH=$TARGETARCH\n',
  );
  for (const arch of ['amd64', 'arm64']) writeFileSync(join(context, `${arch}.txt`), `${arch}\n`);
  return context;
}

describe('images for several platforms', { skip }, () => {
  test('an index in an archive and in a registry, which strake and skopeo read; a build on it takes its own platform', async () => {
    using store = emptyStore();
    const context = contextIn(store);
    const data = join(store.work, 'registry');
    mkdirSync(data);
    await using registry = await dockerRegistry(data);
    const name = `${registry.host}/app:1`;
    const archive = join(store.work, 'image.tar');
    const [iid, metadata] = [join(store.work, 'iid'), join(store.work, 'metadata.json')];
    await ok(
      // prettier-ignore
      ['build', '--platform', BOTH, '-t', name, '--push', '-o', `type=oci,dest=${archive}`, '--iidfile', iid, '--metadata-file', metadata, context],
      store,
    );
    const raw = run('skopeo', 'inspect', '--raw', '--tls-verify=false', `docker://${name}`);
    assert.deepEqual(platformsOf(raw), ['linux/amd64', 'linux/arm64']);
    assert.equal(run('skopeo', 'inspect', '--raw', `oci-archive:${archive}`), raw);
    const digest = run('sh', '-c', `printf %s "$1" | sha256sum | cut -d' ' -f1`, 'sh', raw).trim();
    assert.equal(readFileSync(iid, 'utf8'), `sha256:${digest}`);
    const told = JSON.parse(readFileSync(metadata, 'utf8')) as Record<string, unknown>;
    assert.equal(told['containerimage.digest'], `sha256:${digest}`);
    for (const arch of ['amd64', 'arm64']) {
      const args = ['inspect', '--tls-verify=false', '--override-arch', arch, `docker://${name}`];
      const { Env } = JSON.parse(run('skopeo', ...args)) as { Env: string[] };
      assert.ok(Env.includes(`ARCH=${arch}`));
    }
    using other = emptyStore();
    const next = join(other.work, 'next');
    mkdirSync(next);
    writeFileSync(join(next, 'Dockerfile'), `FROM ${name}\nENV MORE=$ARCH\n`);
    const out = join(other.work, 'out');
    await ok(['build', '--platform', BOTH, '-o', out, next], other);
    for (const arch of ['amd64', 'arm64'])
      assert.equal(readFileSync(join(out, `linux_${arch}/arch`), 'utf8'), `${arch}\n`);
  });

  test('in the store one name has both; it is saved and pushed as an index, and looked into as this machine would run it', async () => {
    using store = emptyStore();
    const context = contextIn(store);
    await ok(['build', '--platform', BOTH, '-t', 'app', context], store);
    assert.equal((await ok(['images', '-q'], store)).stdout.trim().split('\n').length, 2);
    await ok(['tag', 'app', 'again'], store);
    const archive = join(store.work, 'saved.tar');
    await ok(['save', '--format', 'oci', '-o', archive, 'again'], store);
    assert.deepEqual(platformsOf(run('skopeo', 'inspect', '--raw', `oci-archive:${archive}`)), BOTH.split(','));
    const [details] = JSON.parse((await ok(['inspect', 'app'], store)).stdout) as { Architecture: string }[];
    assert.equal(details?.Architecture, process.arch === 'x64' ? 'amd64' : process.arch);
    await ok(['rm', 'app', 'again'], store);
    assert.equal((await ok(['images', '-q'], store)).stdout, '');
  });

  test('an OCI layout as a base: each platform is found in it, by tag or digest, and its layers are kept as they are', async () => {
    using store = emptyStore();
    const context = contextIn(store);
    const layout = join(store.work, 'layout');
    await ok(['build', '--platform', BOTH, '-o', `type=oci,tar=false,dest=${layout},name=base:one`, context], store);
    const next = join(store.work, 'next');
    mkdirSync(next);
    writeFileSync(join(next, 'Dockerfile'), 'FROM base\nENV MORE=$ARCH\n');
    const raw = run('skopeo', 'inspect', '--raw', `oci:${layout}`);
    const digest = `sha256:${run('sh', '-c', `printf %s "$1" | sha256sum | cut -d' ' -f1`, 'sh', raw).trim()}`;
    for (const place of [layout, `${layout}@${digest}`]) {
      using other = emptyStore();
      const out = join(other.work, 'out');
      const archive = join(other.work, 'image.tar');
      await ok(
        // prettier-ignore
        ['build', '--platform', BOTH, '--build-context', `base=oci-layout://${place}`, '-o', out, '-o', `type=oci,dest=${archive}`, next],
        other,
      );
      assert.equal(readFileSync(join(out, 'linux_arm64/arch'), 'utf8'), 'arm64\n');
      const layersOf = (image: string): unknown =>
        (JSON.parse(run('skopeo', 'inspect', '--override-arch', 'arm64', image)) as { Layers: unknown }).Layers;
      assert.deepEqual(layersOf(`oci-archive:${archive}`), layersOf(`oci:${layout}`));
    }
    const wrong = await strake(['build', '--build-context', `base=oci-layout://${layout}:no`, next], store);
    assert.match(wrong.stderr, /there is no "no"; it holds/);
    assert.equal(wrong.code, 66, wrong.stderr);
  });

  test('what holds one platform only is refused before anything runs', async () => {
    using store = emptyStore();
    const context = contextIn(store);
    const refused = await strake(['build', '--platform', BOTH, '-o', 'type=docker,dest=x.tar', context], store);
    assert.equal(refused.code, 64, refused.stderr);
    assert.match(refused.stderr, /Docker's archive format holds images of one platform only\nhelp: .*type=oci/);
  });
});
