import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { bytesOf, hasCode, systemRandom } from '../base/index.ts';
import { digestOf, hexOf } from '../blob/index.ts';
import { writeDockerArchive, writeOciArchive } from './archive-writer.ts';
import { selectImage, type BundleItem } from './bundle.ts';
import { descriptorOf, imageId, manifestOf } from './image-from.ts';
import type { Image } from './image.ts';
import { imageSuite } from './image.suite.ts';
import { makeIndex } from './make-index.ts';
import { MEDIA } from './media-types.ts';
import { openArchive, type Archive } from './open-archive.ts';
import { CONFIG, imageOf, tarOf } from './samples.suite.ts';
import { indexTar } from './tar-scan.ts';
import { validateImage } from './validate.ts';

type Writer = typeof writeOciArchive;

async function archived(items: readonly BundleItem[], writer: Writer = writeOciArchive): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  await writer(items, (chunk) => void chunks.push(chunk));
  return Buffer.concat(chunks);
}

function scratch(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), 'strake-archive-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true }) };
}

async function opened(content: Buffer, o: { temp: string }): Promise<Archive> {
  return openArchive(bytesOf(content), { ...o, random: systemRandom });
}

for (const [name, writer, keeps] of [
  ['oci archive', writeOciArchive, 'all'],
  ['docker archive', writeDockerArchive, 'images'],
] as const)
  imageSuite(
    name,
    async (x) => {
      const folder = scratch();
      const archive = await opened(await archived([{ image: x }], writer), { temp: folder.path });
      return {
        x: await selectImage(archive, { what: 'it' }).open(),
        [Symbol.asyncDispose]: async () => {
          archive[Symbol.dispose]();
          folder[Symbol.dispose]();
        },
      };
    },
    { keeps },
  );

test('entries are sorted and headed as containerd does, and equal images give equal bytes', async () => {
  const image = await imageOf([{ a: '1' }]);
  const tar = await archived([{ image, names: ['app'] }], writeDockerArchive);
  assert.deepEqual(tar, await archived([{ image: await imageOf([{ a: '1' }]), names: ['app'] }], writeDockerArchive));
  const names = indexTar((offset, length) => tar.subarray(offset, offset + length), {
    size: tar.length,
    what: 'x',
  }).map((item) => item.name);
  assert.deepEqual(names, [...names].sort());
  assert.deepEqual(
    names.filter((name) => !/[0-9a-f]{64}$/.test(name)),
    ['blobs/', 'blobs/sha256/', 'index.json', 'manifest.json', 'oci-layout'],
  );
  const listed = execFileSync('tar', ['-tvf', '-', '--full-time', '--utc', 'index.json', 'oci-layout'], {
    input: tar,
  }).toString();
  assert.match(
    listed,
    /^-rw-r--r-- 0\/0 +\d+ 1970-01-01 00:00:00 index.json\n-r--r--r-- 0\/0 +30 1970-01-01 00:00:00 oci-layout\n$/,
  );
  const { config, layers } = await manifestOf(image);
  assert.equal(
    execFileSync('tar', ['-xOf', '-', 'manifest.json'], { input: tar }).toString(),
    `[{"Config":"blobs/sha256/${hexOf(config.digest)}","RepoTags":["app:latest"],"Layers":["blobs/sha256/${hexOf(layers[0]!.digest)}"]}]`,
  );
});

test('an archive is read from a path, a stream, and compressed; nothing is left in the temporary folder', async () => {
  using folder = scratch();
  const temp = join(folder.path, 'temp');
  const image = await imageOf([{ a: '1' }]);
  const tar = await archived([{ image, names: ['app:1', 'host.io/app:2'] }]);
  const path = join(folder.path, 'archive.tar');
  for (const [how, content] of [
    ['tar', tar],
    ['gzip', gzipSync(tar)],
    ['zstd', zstdCompressSync(tar)],
  ] as const) {
    writeFileSync(path, content);
    for (const source of [path, bytesOf(content)]) {
      using archive = await openArchive(source, { temp, random: systemRandom });
      assert.equal(archive.kind, 'oci-archive');
      const [only] = archive.images;
      assert.ok(only);
      assert.deepEqual(only.names, ['docker.io/library/app:1', 'host.io/app:2'], how);
      assert.deepEqual(await validateImage((await only.open()) as Image, { layers: true }), []);
    }
  }
  assert.deepEqual(readdirSync(temp), []);
});

test('several images share an archive, and one is chosen by name', async () => {
  using folder = scratch();
  const [one, two] = [await imageOf([{ a: '1' }]), await imageOf([{ a: '2' }])];
  using archive = await opened(
    await archived(
      [
        { image: one, names: ['one'] },
        { image: two, names: ['two', 'three'] },
      ],
      writeDockerArchive,
    ),
    { temp: folder.path },
  );
  assert.equal(
    await imageId((await selectImage(archive, { wanted: 'three', what: 'x' }).open()) as Image),
    await imageId(two),
  );
  const index = makeIndex([{ image: one }], { mediaTypes: 'oci' });
  await assert.rejects(archived([{ image: index }], writeDockerArchive), (error) =>
    hasCode(error, 'MANIFEST_UNSUPPORTED'),
  );
});

/** A `docker save` archive of the form before Docker 25: a folder per layer, layers that repeat are links. */
function legacySave(folder: string, o: { compress: boolean }): { tar: Buffer; config: Buffer } {
  const layers = [tarOf({ a: '1' }), tarOf({ b: '2' })];
  const diffIds = [...layers, layers[0] as Buffer].map((layer) => digestOf(layer));
  const config = Buffer.from(JSON.stringify({ ...CONFIG, rootfs: { type: 'layers', diff_ids: diffIds } }));
  const root = join(folder, 'saved');
  for (const [at, layer] of layers.entries()) {
    mkdirSync(join(root, `id${at}`), { recursive: true });
    writeFileSync(join(root, `id${at}`, 'layer.tar'), o.compress ? gzipSync(layer) : layer);
    writeFileSync(join(root, `id${at}`, 'VERSION'), '1.0');
  }
  mkdirSync(join(root, 'id2'));
  symlinkSync('../id0/layer.tar', join(root, 'id2', 'layer.tar'));
  writeFileSync(join(root, 'config.json'), config);
  writeFileSync(
    join(root, 'manifest.json'),
    JSON.stringify([
      {
        Config: 'config.json',
        RepoTags: ['app:1', 'host.io:5000/team/app:2'],
        Layers: ['id0/layer.tar', 'id1/layer.tar', 'id2/layer.tar'],
      },
    ]),
  );
  const tar = execFileSync('tar', ['-C', root, '-cf', '-', '.']);
  rmSync(root, { recursive: true });
  return { tar, config };
}

test('what docker save wrote before version 25 is read: plain or compressed layers, links', async () => {
  using folder = scratch();
  for (const compress of [false, true]) {
    const { tar, config } = legacySave(folder.path, { compress });
    using archive = await opened(tar, { temp: folder.path });
    assert.equal(archive.kind, 'docker-archive');
    const [only] = archive.images;
    assert.ok(only);
    assert.deepEqual(only.names, ['docker.io/library/app:1', 'host.io:5000/team/app:2']);
    const image = (await only.open()) as Image;
    assert.equal(await imageId(image), digestOf(config));
    assert.deepEqual(await validateImage(image, { layers: true }), []);
    const { layers, mediaType } = await manifestOf(image);
    assert.equal(mediaType, MEDIA.dockerManifest);
    assert.deepEqual(
      layers.map((layer) => layer.mediaType),
      Array(3).fill(compress ? MEDIA.dockerLayerGzip : MEDIA.dockerLayer),
    );
    assert.equal(layers[0]?.digest, layers[2]?.digest);
    assert.equal(await descriptorOf(image).then((d) => d.mediaType), MEDIA.dockerManifest);
  }
});

test('what is no archive of images is refused with what it is', async () => {
  using folder = scratch();
  const temp = folder.path;
  const cases: readonly (readonly [content: Buffer, message: RegExp])[] = [
    [Buffer.from('not a tar at all'), /ends in the middle/],
    [Buffer.alloc(4096, 'x'), /not a tar/],
    [tarOf({ 'etc/passwd': 'root' }), /neither an OCI layout .* nor a Docker archive/],
    [tarOf({ 'manifest.json': '{' }), /is not JSON/],
    [tarOf({ 'manifest.json': '[1]' }), /not a list of images/],
    [tarOf({ 'oci-layout': '{}', 'index.json': '{}' }), /version null/],
    [gzipSync(tarOf({ a: '1' })).subarray(0, 60), /gzip data is damaged or cut short/],
    [Buffer.from('fd377a585a0000000000', 'hex'), /xz data is damaged/],
  ];
  for (const [content, message] of cases) await assert.rejects(opened(content, { temp }), message);
  await assert.rejects(openArchive(join(temp, 'none.tar'), { temp, random: systemRandom }), (error) =>
    hasCode(error, 'ARCHIVE_NOT_FOUND'),
  );
  await assert.rejects(openArchive(temp, { temp, random: systemRandom }), /not a file/);
  for (const saved of [
    { Config: 'missing.json', Layers: [] },
    { Config: '../../etc/passwd', Layers: [] },
    { Config: 'c.json', Layers: ['missing.tar'] },
    { Config: 'c.json', Layers: [] },
  ]) {
    const config = JSON.stringify({ ...CONFIG, rootfs: { type: 'layers', diff_ids: [digestOf('x')] } });
    using archive = await opened(tarOf({ 'c.json': config, 'manifest.json': JSON.stringify([saved]) }), { temp });
    await assert.rejects(archive.images[0]!.open(), (error) => hasCode(error, 'ARCHIVE_INVALID'));
  }
  assert.deepEqual(readdirSync(temp), []);
});

test('a damaged layer is noticed when it is read', async () => {
  using folder = scratch();
  const image = await imageOf([{ a: 'needle' }], { compression: 'none' });
  const tar = await archived([{ image }]);
  const at = tar.indexOf('needle');
  tar[at] = 0x4e;
  using archive = await opened(tar, { temp: folder.path });
  const found = await validateImage((await archive.images[0]!.open()) as Image, { layers: true });
  assert.match(found.join('\n'), /has digest/);
});

test('an archive that was closed cannot be read', async () => {
  using folder = scratch();
  const archive = await opened(await archived([{ image: await imageOf([{ a: '1' }]) }]), { temp: folder.path });
  const image = (await archive.images[0]!.open()) as Image;
  archive[Symbol.dispose]();
  await assert.rejects(image.config(), /closed/);
});
