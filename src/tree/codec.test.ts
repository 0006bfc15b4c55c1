import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { crc32, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { bytesOf, collect, systemRandom } from '../base/index.ts';
import { digestOf, DiskBlobStore, type Descriptor, type Digest } from '../blob/index.ts';
import { archiveTree } from './archive-tree.ts';
import { blockSize, compressBlock, layoutOf } from './block-codec.ts';
import { closeCodecs } from './codec-pool.ts';
import { GZIP, layerMediaType, NONE, ZSTD } from './codec.ts';
import { compressLayer } from './compress-layer.ts';
import { compressionOf, decompressed } from './decompress.ts';
import { DEFLATE_WINDOW, GZIP_HEADER, gzipTrailer } from './deflate.ts';
import type { Entry } from './entry.ts';
import { importLayer } from './import-layer.ts';
import type { Codec } from './layer.ts';
import { writeLayer } from './layer-writer.ts';
import { treeOf } from './random-tree.suite.ts';
import { block, header, octal } from './tar-blocks.suite.ts';
import { openLayer } from './toc.ts';

const scratch = mkdtempSync(join(tmpdir(), 'strake-codec-'));
after(async () => {
  await closeCodecs();
  rmSync(scratch, { recursive: true, force: true });
});

let stores = 0;
const newStore = (): DiskBlobStore =>
  new DiskBlobStore(join(scratch, `store-${stores++}`), { clock: { now: () => 0 }, random: systemRandom });
const store = newStore();

/** Content that is neither trivial nor random, the same in every run. */
function content(length: number, seed: number): Buffer {
  const out = Buffer.alloc(length);
  let x = seed;
  for (let i = 0; i < length; i++) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    out[i] = i % 3 === 0 ? x >>> 24 : i % 3 === 1 ? 65 + ((x >>> 20) & 7) : (out[i - 97] ?? 0);
  }
  return out;
}

const file = (path: string, size: number): Entry => ({
  path,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size,
  mtime: 0,
  mtimeNs: 0,
});

/** A layer of one file of this size. */
const layerOf = (size: number, seed = size): ReturnType<typeof treeOf> =>
  treeOf([file('f', size)], new Map([['f', content(size, seed)]]));

/** What the bytes must be, made block by block on this thread alone. */
function reference(tar: Buffer, codec: Codec & { name: 'gzip' | 'zstd' }): Buffer {
  const parts: Buffer[] = codec.name === 'gzip' ? [GZIP_HEADER] : [];
  const layout = layoutOf(codec.name);
  const length = blockSize(codec.name);
  for (let at = 0; at < tar.length; at += length) {
    const memory = new SharedArrayBuffer(layout.size);
    const bytes = Buffer.from(memory);
    const before = tar.subarray(Math.max(0, at - DEFLATE_WINDOW), at);
    const piece = tar.subarray(at, at + length);
    before.copy(bytes, layout.block - before.length);
    piece.copy(bytes, layout.block);
    const size = compressBlock({
      codec: codec.name,
      level: codec.level,
      memory,
      dictionary: before.length,
      length: piece.length,
      last: at + length >= tar.length,
    });
    parts.push(Buffer.from(bytes.subarray(layout.result, layout.result + size)));
  }
  if (codec.name === 'gzip') parts.push(gzipTrailer(crc32(tar), tar.length));
  return Buffer.concat(parts);
}

async function put(bytes: Uint8Array): Promise<Descriptor> {
  return store.put(bytesOf(bytes), { mediaType: 'application/octet-stream' });
}

const CODECS = [GZIP, ZSTD, { ...GZIP, level: 6 }] as (Codec & { name: 'gzip' | 'zstd' })[];
// Around the borders of blocks: a header, the content padded, two zero blocks.
const SIZES = [0, 1000, 1_048_576 - 1024, 1_048_576, 4_194_304 - 1536];

for (const codec of CODECS)
  test(`${codec.name} ${codec.level}: one pass, a later pass and one thread give the same bytes, which are read again`, async () => {
    for (const size of codec.level === 6 ? SIZES.slice(0, 4) : SIZES) {
      const own = newStore();
      const written = await writeLayer(layerOf(size), { store: own, dialect: 'oci', codec });
      const { descriptor } = written.compressed!;
      const bytes = readFileSync(own.pathOf(descriptor.digest));
      assert.equal(digestOf(bytes), descriptor.digest);
      assert.equal(bytes.length, descriptor.size);
      assert.equal(descriptor.mediaType, layerMediaType(codec));
      const tar = readFileSync(own.pathOf(written.diffId));
      assert.ok(reference(tar, codec).equals(bytes), `${size}`);
      assert.ok((codec.name === 'gzip' ? gunzipSync(bytes) : zstdDecompressSync(bytes)).equals(tar));
      const tool = spawnSync(codec.name, ['-t'], { input: bytes });
      assert.ok(tool.error !== undefined || tool.status === 0, tool.stderr?.toString());
      const again = newStore();
      await again.put(bytesOf(tar), { mediaType: 'tar' });
      assert.deepEqual(await compressLayer(again, written.diffId, codec), descriptor);
      // Imported where only the compressed blob is: the same layer, the same table of contents.
      const third = newStore();
      await third.put(bytesOf(bytes), { mediaType: descriptor.mediaType });
      assert.deepEqual(await importLayer(third, { descriptor, diffId: written.diffId }), {
        diffId: written.diffId,
        size: tar.length,
      });
      const [here, there] = await Promise.all([openLayer(own, written.diffId), openLayer(third, written.diffId)]);
      assert.deepEqual(await there.entries(), await here.entries());
    }
  });

test('many layers at once give what each gives alone', async () => {
  const sizes = [3_000_000, 1_500_000, 100, 6_000_000, 2_200_000];
  const alone: string[] = [];
  for (const size of sizes)
    alone.push(
      (await writeLayer(layerOf(size), { store: newStore(), dialect: 'oci', codec: GZIP })).compressed!.descriptor
        .digest,
    );
  await closeCodecs();
  const together = await Promise.all(
    sizes.map((size) => writeLayer(layerOf(size), { store, dialect: 'oci', codec: GZIP })),
  );
  assert.deepEqual(
    together.map((layer) => layer.compressed!.descriptor.digest),
    alone,
  );
});

test('the bytes of the codecs are those of their version', async () => {
  const digests: Digest[] = [];
  for (const codec of CODECS)
    digests.push(
      (await writeLayer(layerOf(5_000_000), { store, dialect: 'oci', codec })).compressed!.descriptor.digest,
    );
  // When these change, so must the codec's version: caches and pushed layers go by it.
  assert.deepEqual(digests, GOLDEN);
});

const GOLDEN: readonly Digest[] = [
  'sha256:b5398c3c763842639776552d906d47dec3ce051b00af0be07b928e83edb953c1',
  'sha256:f353c9eb5f671863f8210f9f31066bd6624d2220ac65cc7cacf73703696e00a8',
  'sha256:b24280b5c547c1f764805d1b75357af98b0aaf27dd34f15b1a2702eadb0c05b2',
];

test('without compression, or without keeping the tar', async () => {
  const plain = await writeLayer(layerOf(70_000), { store, dialect: 'oci', codec: NONE, keepTar: false });
  assert.deepEqual(plain.compressed?.descriptor, {
    mediaType: layerMediaType(NONE),
    digest: plain.diffId,
    size: plain.size,
  });
  assert.deepEqual(await compressLayer(store, plain.diffId, NONE), plain.compressed?.descriptor);
  const own = newStore();
  const packed = await writeLayer(layerOf(70_000), { store: own, dialect: 'oci', codec: GZIP, keepTar: false });
  assert.equal(packed.diffId, plain.diffId);
  assert.equal(own.sizeOf(packed.diffId), undefined);
  assert.equal(own.sizeOf(packed.compressed!.descriptor.digest), packed.compressed!.descriptor.size);
  await assert.rejects(compressLayer(own, packed.diffId, GZIP), { code: 'BLOB_NOT_FOUND' });
  await assert.rejects(compressLayer(own, packed.diffId, NONE), { code: 'BLOB_NOT_FOUND' });
});

test('media types', () => {
  assert.deepEqual(
    [NONE, GZIP, ZSTD].map((codec) => layerMediaType(codec)),
    [
      'application/vnd.oci.image.layer.v1.tar',
      'application/vnd.oci.image.layer.v1.tar+gzip',
      'application/vnd.oci.image.layer.v1.tar+zstd',
    ],
  );
  assert.equal(layerMediaType(GZIP, { docker: true }), 'application/vnd.docker.image.rootfs.diff.tar.gzip');
});

test('a layer that is damaged in the store is not compressed', async () => {
  const own = newStore();
  const { diffId } = await writeLayer(layerOf(2_500_000), { store: own, dialect: 'oci' });
  const path = own.pathOf(diffId);
  const bytes = readFileSync(path);
  bytes[2_000_000]! ^= 1;
  rmSync(path);
  writeFileSync(path, bytes);
  await assert.rejects(compressLayer(own, diffId, GZIP), { code: 'BLOB_CORRUPT' });
  assert.deepEqual(readdirSync(join(own.folder, 'ingest')), []);
});

const TAR = Buffer.concat([
  header({ 0: 'a', 124: octal(5) }),
  block('alpha'),
  header({ 0: 'd/.wh.b' }),
  Buffer.alloc(1024),
]);

test('imports what other tools compress: members, frames, skippable frames, plain', async () => {
  const half = TAR.length >> 1;
  const skippable = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4]);
  for (const bytes of [
    TAR,
    gzipSync(TAR),
    Buffer.concat([gzipSync(TAR.subarray(0, half)), gzipSync(TAR.subarray(half))]),
    zstdCompressSync(TAR),
    Buffer.concat([
      skippable,
      zstdCompressSync(TAR.subarray(0, half)),
      zstdCompressSync(TAR.subarray(half)),
      skippable,
    ]),
  ]) {
    const descriptor = await put(bytes);
    assert.deepEqual(await importLayer(store, { descriptor }), { diffId: digestOf(TAR), size: TAR.length });
    const entries = await (await openLayer(store, digestOf(TAR))).entries();
    assert.deepEqual(
      entries.map(({ path, type }) => [path, type]),
      [
        ['a', 'file'],
        ['d/b', 'whiteout'],
      ],
    );
    await store.delete(digestOf(TAR));
    rmSync(join(store.folder, 'toc'), { recursive: true });
  }
});

test('refuses to import what is damaged or something else, and stores nothing', async () => {
  const other: Digest = `sha256:${'1'.repeat(64)}`;
  const whole = gzipSync(Buffer.concat([header({ 0: 'f', 124: octal(300_000) }), content(300_000, 1)]));
  const escaping = gzipSync(Buffer.concat([header({ 0: '../x' }), Buffer.alloc(1024)]));
  const crc = gzipSync(TAR);
  crc[crc.length - 8]! ^= 1;
  for (const [bytes, code, diffId] of [
    [gzipSync(TAR), 'LAYER_MISMATCH', other],
    [whole.subarray(0, 200_000), 'COMPRESSED_CORRUPT'],
    [gzipSync(TAR).subarray(0, 60), 'COMPRESSED_CORRUPT'],
    [zstdCompressSync(TAR).subarray(0, 40), 'COMPRESSED_CORRUPT'],
    [crc, 'COMPRESSED_CORRUPT'],
    [gzipSync(TAR.subarray(0, 514)), 'TAR_CORRUPT'],
    [gzipSync(Buffer.alloc(2000, 'no tar')), 'TAR_CORRUPT'],
    [escaping, 'PATH_TRAVERSAL'],
  ] as [Buffer, string, Digest?][]) {
    const descriptor = await put(bytes);
    const before = new Set(readdirSync(store.folder, { recursive: true, encoding: 'utf8' }));
    await assert.rejects(importLayer(store, { descriptor, diffId }), (error: unknown) => {
      assert.equal((error as { code: string }).code, code, String(error));
      assert.ok((error as Error).message.startsWith(`read layer ${descriptor.digest}: `), String(error));
      return true;
    });
    assert.deepEqual(new Set(readdirSync(store.folder, { recursive: true, encoding: 'utf8' })), before);
  }
  await assert.rejects(importLayer(store, { descriptor: { mediaType: '', digest: other, size: 1 } }), {
    code: 'BLOB_NOT_FOUND',
  });
});

test('decompresses by content; what is not compressed passes', async () => {
  const plain = content(1_200_000, 9);
  const one = async function* (bytes: Buffer): AsyncIterable<Uint8Array> {
    yield bytes.subarray(0, 1);
    yield bytes.subarray(1, 3);
    yield bytes.subarray(3);
  };
  for (const [tool, args] of [
    ['gzip', ['-c']],
    ['zstd', ['-c']],
    ['xz', ['-0c']],
    ['bzip2', ['-1c']],
    ['cat', []],
  ] as const) {
    const made = spawnSync(tool, args, { input: plain, maxBuffer: 1 << 26 });
    if (made.error) throw made.error;
    assert.equal(compressionOf(made.stdout), tool === 'cat' ? 'none' : tool);
    assert.ok(plain.equals(await collect(await decompressed(one(made.stdout)))), tool);
    if (tool === 'cat') continue;
    await assert.rejects(
      async () =>
        collect(await decompressed(bytesOf(made.stdout.subarray(0, made.stdout.length >> 1)), { what: 'read "x"' })),
      { code: 'COMPRESSED_CORRUPT', message: new RegExp(`^read "x": its ${tool} data`) },
    );
  }
  assert.equal((await collect(await decompressed(bytesOf()))).length, 0);
  const failing = async function* (): AsyncIterable<Uint8Array> {
    yield gzipSync(plain).subarray(0, 1000);
    throw new Error('the source broke');
  };
  await assert.rejects(async () => collect(await decompressed(failing())), /the source broke/);
});

test('a reader that stops early leaves nothing behind', async () => {
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const source = async function* (): AsyncIterable<Uint8Array> {
    try {
      for (;;) yield gzipSync(Buffer.alloc(1 << 20));
    } finally {
      resolve();
    }
  };
  for await (const chunk of await decompressed(source())) if (chunk.length > 0) break;
  await ended;
});

test('archives for ADD: any compression, no meaning of whiteouts; other files are none', async () => {
  const folder = join(scratch, 'archives');
  const temporary = join(folder, 'tmp');
  mkdirSync(temporary, { recursive: true });
  const write = (name: string, bytes: Uint8Array): string => {
    writeFileSync(join(folder, name), bytes);
    return join(folder, name);
  };
  const shape = async (path: string): Promise<unknown> => {
    const tree = await archiveTree(path, { scratch: temporary });
    if (!tree) return undefined;
    const entries = await tree.entries();
    return [
      entries.map(({ path: p, type }) => `${type} ${p}`),
      Buffer.from(await collect(tree.read(entries))).toString(),
    ];
  };
  const want = [['file a', 'file d/.wh.b'], 'alpha'];
  const pack = (tool: string): Buffer => spawnSync(tool, ['-c'], { input: TAR }).stdout;
  assert.deepEqual(await shape(write('a.tar', TAR)), want);
  assert.deepEqual(readdirSync(temporary), []);
  for (const tool of ['gzip', 'bzip2', 'xz', 'zstd'])
    assert.deepEqual(await shape(write(`a.${tool}`, pack(tool))), want, tool);
  assert.equal(readdirSync(temporary).length, 4);
  for (const [name, bytes] of Object.entries({
    text: Buffer.from('no archive'),
    empty: Buffer.alloc(0),
    'a.txt.gz': gzipSync(Buffer.alloc(5000, 'x')),
    'short.gz': gzipSync(Buffer.from('x')),
    'broken.gz': gzipSync(content(5000, 3)).subarray(0, 30),
    zeros: Buffer.alloc(4096),
    'almost.zst': Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xff, 0xff, 0xff, 0xff]),
  }))
    assert.equal(await shape(write(name, bytes)), undefined, name);
  assert.equal(await archiveTree(folder, { scratch: temporary }), undefined);
  assert.equal(readdirSync(temporary).length, 4);
  await assert.rejects(shape(write('cut.tar', TAR.subarray(0, 514))), { code: 'TAR_CORRUPT' });
  await assert.rejects(
    shape(
      write('cut.tar.gz', gzipSync(Buffer.concat([TAR.subarray(0, 1024), content(200_000, 4)])).subarray(0, 100_000)),
    ),
    { code: 'TAR_CORRUPT' },
  );
  // Small enough to come out in one piece, which the damage at the end would take with it.
  for (const tool of ['gzip', 'zstd']) {
    const packed = pack(tool);
    packed.writeUInt8(
      packed.readUInt8(packed.length - (tool === 'gzip' ? 6 : 2)) ^ 0xff,
      packed.length - (tool === 'gzip' ? 6 : 2),
    );
    await assert.rejects(shape(write(`damaged.${tool}`, packed)), { code: 'COMPRESSED_CORRUPT' }, tool);
  }
  await assert.rejects(
    shape(write('up.tar.gz', gzipSync(Buffer.concat([header({ 0: '../x' }), Buffer.alloc(1024)])))),
    { code: 'PATH_TRAVERSAL' },
  );
  assert.equal(readdirSync(temporary).length, 4);
  assert.ok(!existsSync(join(scratch, 'x')));
});

test('a cancelled import ends', async () => {
  const descriptor = await put(gzipSync(content(1_000_000, 5)));
  const signal = AbortSignal.abort();
  await assert.rejects(importLayer(store, { descriptor }, { signal }), { code: 'CANCELLED' });
  await assert.rejects(writeLayer(layerOf(3_000_000), { store, dialect: 'oci', codec: GZIP, signal }), {
    code: 'CANCELLED',
  });
  const controller = new AbortController();
  const writing = writeLayer(layerOf(9_000_000), {
    store,
    dialect: 'oci',
    codec: GZIP,
    signal: controller.signal,
    onProgress: (bytes) => bytes > 4_000_000 && controller.abort(),
  });
  await assert.rejects(writing, { code: 'CANCELLED' });
  assert.deepEqual(readdirSync(join(store.folder, 'ingest')), []);
});

test('when the workers are ended in the middle, the layer fails and the next one starts others', async () => {
  const own = newStore();
  // So that the first block meets a worker that has only just been started.
  await closeCodecs();
  let ended: Promise<void> | undefined;
  const writing = writeLayer(layerOf(9_000_000), {
    store: own,
    dialect: 'oci',
    codec: GZIP,
    onProgress: () => {
      ended ??= closeCodecs();
    },
  });
  await assert.rejects(writing, { code: 'CODEC_FAILED' });
  await ended;
  assert.deepEqual(readdirSync(join(own.folder, 'ingest')), []);
  assert.ok(!existsSync(join(own.folder, 'sha256')));
  assert.ok((await writeLayer(layerOf(3_000_000), { store: own, dialect: 'oci', codec: GZIP })).compressed);
});
