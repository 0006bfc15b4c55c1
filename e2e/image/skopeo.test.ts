import assert from 'node:assert/strict';
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { finished } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { writeFileSync } from 'node:fs';
import { runTool, systemRandom } from '../../src/base/index.ts';
import {
  descriptorOf,
  imageId,
  indexManifestOf,
  manifestOf,
  openArchive,
  openLayout,
  selectImage,
  validateImage,
  withMediaTypes,
  writeDockerArchive,
  writeLayout,
  writeOciArchive,
  makeIndex,
  type BundleItem,
  type Image,
} from '../../src/image/index.ts';
import { imageOf } from '../../src/image/samples.suite.ts';

/** Needs skopeo. */
let folder: string;
let serial = 0;
before(() => (folder = mkdtempSync(join(tmpdir(), 'strake-skopeo-'))));
after(() => rmSync(folder, { recursive: true }));

const fresh = (name: string): string => join(folder, `${(serial += 1)}-${name}`);
const skopeo = async (...args: readonly string[]): Promise<string> =>
  (await runTool('skopeo', ['--insecure-policy', ...args])).stdout.toString();
const temp = (): { temp: string; random: typeof systemRandom } => ({
  temp: join(folder, 'temp'),
  random: systemRandom,
});

async function toFile(path: string, items: readonly BundleItem[], write: typeof writeOciArchive): Promise<void> {
  const file = createWriteStream(path);
  await write(
    items,
    (chunk) => new Promise((resolve, reject) => file.write(chunk, (error) => (error ? reject(error) : resolve()))),
  );
  file.end();
  await finished(file);
}

interface Inspected {
  readonly Digest: string;
  readonly Architecture: string;
  readonly Os: string;
  readonly Layers: readonly string[];
  readonly Env: readonly string[];
}

async function checkInspect(place: string, image: Image, o: { digest: boolean }): Promise<void> {
  const seen = JSON.parse(await skopeo('inspect', place)) as Inspected;
  if (o.digest) {
    assert.equal(seen.Digest, (await descriptorOf(image)).digest);
    assert.deepEqual(
      seen.Layers,
      (await manifestOf(image)).layers.map((layer) => layer.digest),
    );
  }
  assert.deepEqual([seen.Os, seen.Architecture, seen.Env], ['linux', 'amd64', ['PATH=/usr/bin:/bin']]);
  const config = await skopeo('inspect', '--config', '--raw', place);
  assert.equal(config, Buffer.from(await image.config()).toString());
}

test('skopeo inspects and copies a layout we wrote, every compression, and we read what it copied', async () => {
  for (const compression of ['none', 'gzip', 'zstd'] as const) {
    const image = await imageOf([{ 'etc/': '', 'etc/a': 'one' }, { b: 'two' }], {
      compression,
      annotations: { k: 'v' },
    });
    const layout = fresh('layout');
    await writeLayout(layout, [{ image, refs: ['tag'] }], { random: systemRandom });
    await checkInspect(`oci:${layout}:tag`, image, { digest: true });
    const copy = fresh('copy');
    await skopeo('copy', '--preserve-digests', `oci:${layout}:tag`, `oci:${copy}:other`);
    const again = (await selectImage(openLayout(copy), { wanted: 'other', what: copy }).open()) as Image;
    assert.deepEqual(await again.manifest(), Buffer.from(await image.manifest()));
    assert.deepEqual(await validateImage(again, { layers: true }), []);
  }
});

test('skopeo adds to our layout, and we to its', async () => {
  const layout = fresh('layout');
  const [one, two] = [await imageOf([{ a: '1' }]), await imageOf([{ a: '2' }])];
  await writeLayout(layout, [{ image: one, names: ['host.io/app:one'] }], { random: systemRandom });
  const other = fresh('other');
  await writeLayout(other, [{ image: two, refs: ['x'] }], { random: systemRandom });
  await skopeo('copy', `oci:${other}:x`, `oci:${layout}:two`);
  await writeLayout(layout, [{ image: two, refs: ['three'] }], { random: systemRandom });
  const opened = openLayout(layout);
  assert.deepEqual(opened.images.flatMap((image) => image.refs).sort(), ['one', 'three', 'two']);
  assert.deepEqual(
    opened.images.flatMap((image) => image.names),
    ['host.io/app:one'],
  );
  for (const tag of ['one', 'two', 'three']) await skopeo('inspect', `oci:${layout}:${tag}`);
});

test('skopeo reads our OCI archive, and we its', async () => {
  const image = await imageOf([{ a: '1' }, { b: '2' }]);
  const ours = fresh('oci.tar');
  await toFile(ours, [{ image, names: ['app:1'] }], writeOciArchive);
  await checkInspect(`oci-archive:${ours}:1`, image, { digest: true });
  const theirs = fresh('theirs.tar');
  await skopeo('copy', `oci-archive:${ours}:1`, `oci-archive:${theirs}:again`);
  using archive = await openArchive(theirs, temp());
  const again = (await selectImage(archive, { wanted: 'again', what: theirs }).open()) as Image;
  assert.deepEqual(await descriptorOf(again), await descriptorOf(image));
  assert.deepEqual(await validateImage(again, { layers: true }), []);
});

test('skopeo reads our docker archive, gzip and plain, and we its, compressed too', async () => {
  for (const compression of ['none', 'gzip'] as const) {
    const image = await imageOf([{ a: '1' }, { b: '2' }], { compression, family: 'docker' });
    const ours = fresh('docker.tar');
    await toFile(ours, [{ image, names: ['app:1', 'host.io/x:2'] }], writeDockerArchive);
    await checkInspect(`docker-archive:${ours}:app:1`, image, { digest: false });
    const theirs = fresh('theirs.tar');
    await skopeo('copy', `docker-archive:${ours}:host.io/x:2`, `docker-archive:${theirs}:host.io/y:3`);
    const packed = fresh('theirs.tar.gz');
    writeFileSync(packed, gzipSync(readFileSync(theirs)));
    for (const path of [theirs, packed]) {
      using archive = await openArchive(path, temp());
      assert.equal(archive.kind, 'docker-archive');
      const again = (await selectImage(archive, { wanted: 'host.io/y:3', what: path }).open()) as Image;
      assert.equal(await imageId(again), await imageId(image));
      assert.deepEqual(await validateImage(again, { layers: true }), []);
    }
  }
});

test('skopeo makes the same Docker manifest of an image that we make', async () => {
  const image = await imageOf([{ a: '1' }]);
  const layout = fresh('layout');
  await writeLayout(layout, [{ image, refs: ['tag'] }], { random: systemRandom });
  const folderCopy = fresh('dir');
  await skopeo('copy', '--format', 'v2s2', `oci:${layout}:tag`, `dir:${folderCopy}`);
  const theirs = JSON.parse(readFileSync(join(folderCopy, 'manifest.json'), 'utf8')) as unknown;
  const ours = JSON.parse(Buffer.from(await withMediaTypes(image, 'docker').manifest()).toString()) as unknown;
  assert.deepEqual(ours, theirs);
});

test('skopeo takes one platform, or all, of an index we wrote', async () => {
  const members = await Promise.all(
    ['amd64', 'arm64'].map((architecture) => imageOf([{ a: architecture }], { config: { architecture } })),
  );
  const index = makeIndex(
    members.map((image) => ({ image })),
    { mediaTypes: 'oci' },
  );
  const layout = fresh('layout');
  await writeLayout(layout, [{ image: index, refs: ['multi'] }], { random: systemRandom });
  const one = fresh('one');
  await skopeo('--override-arch', 'arm64', 'copy', `oci:${layout}:multi`, `oci:${one}:x`);
  const chosen = (await selectImage(openLayout(one), { what: one }).open()) as Image;
  assert.equal(await imageId(chosen), await imageId(members[1] as Image));
  const all = fresh('all');
  await skopeo('copy', '--all', `oci:${layout}:multi`, `oci:${all}:x`);
  const again = await selectImage(openLayout(all), { wanted: 'x', what: all }).open();
  assert.ok(again.kind === 'index');
  assert.deepEqual((await indexManifestOf(again)).manifests, (await indexManifestOf(index)).manifests);
});
