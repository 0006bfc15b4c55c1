/** Writes one large layer and prints what that took: `write-large-layer.ts <folder> <MiB> <codec> <located|streamed>`. Run as a process of its own by layer-memory.test.ts. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { systemClock, systemRandom } from '../../src/base/index.ts';
import { DiskBlobStore } from '../../src/blob/index.ts';
import {
  compressLayer,
  GZIP,
  importLayer,
  NONE,
  writeLayer,
  ZSTD,
  type Entry,
  type FileTree,
} from '../../src/tree/index.ts';

const [folder = '', mebibytes = '256', codecName = 'none', kind = 'located'] = process.argv.slice(2);
const size = Number(mebibytes) << 20;
const codec = { gzip: GZIP, zstd: ZSTD, none: undefined }[codecName];

/** Compressible content, a fresh chunk each time. */
function chunk(number: number): Buffer {
  const out = Buffer.allocUnsafeSlow(1 << 20);
  for (let i = 0, x = number + 1; i < out.length; i += 4) {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    out.writeUInt32LE(i % 64 < 24 ? x : 0x6c617965, i);
  }
  return out;
}

const file: Entry = { path: 'large', type: 'file', mode: 0o644, uid: 0, gid: 0, size, mtime: 0, mtimeNs: 0 };
const source = join(folder, 'source');
const tree: FileTree = {
  entries: async () => [file],
  digests: async () => [],
  async *read() {
    for (let at = 0; at < size; at += 1 << 20) yield chunk(at >> 20);
  },
};
if (kind === 'located') {
  const fd = openSync(source, 'w');
  for (let at = 0; at < size; at += 1 << 20) writeSync(fd, chunk(at >> 20));
  closeSync(fd);
  tree.locate = () => ({ path: source, offset: 0, length: size });
}
const store = new DiskBlobStore(join(folder, 'store'), { clock: systemClock, random: systemRandom });
const written = await writeLayer(tree, { store, dialect: 'oci', codec });
if (codec) {
  const { descriptor } = written.compressed!;
  const other = new DiskBlobStore(join(folder, 'other'), { clock: systemClock, random: systemRandom });
  await other.put(await store.open(descriptor), { mediaType: descriptor.mediaType });
  await importLayer(other, { descriptor, diffId: written.diffId });
  const again = await compressLayer(other, written.diffId, codec);
  if (again.digest !== descriptor.digest)
    throw new Error(`compressed again: ${again.digest} instead of ${descriptor.digest}`);
} else await compressLayer(store, written.diffId, NONE);
console.log(JSON.stringify({ diffId: written.diffId, size: written.size, rss: process.resourceUsage().maxRSS << 10 }));
