import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, deflateRawSync } from 'node:zlib';
import { collect } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import { zipTree } from './zip-tree.ts';

interface Item {
  readonly name: string;
  readonly content?: string;
  /** Type and permissions; absent: written by DOS. */
  readonly mode?: number;
  readonly deflate?: boolean;
  readonly flags?: number;
  readonly method?: number;
  readonly extra?: Buffer;
  readonly crc?: number;
  readonly size?: number;
}

/** A zip archive by the format's rules, written here. 1980-01-01 unless an extra field says otherwise. */
function zip(items: readonly Item[], o: { large?: boolean; comment?: string } = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const item of items) {
    const content = Buffer.from(item.content ?? '');
    const packed = item.deflate ? deflateRawSync(content) : content;
    const name = Buffer.from(item.name);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(item.flags ?? 0, 2);
    common.writeUInt16LE(item.method ?? (item.deflate ? 8 : 0), 4);
    common.writeUInt16LE(33, 8);
    common.writeUInt32LE(item.crc ?? crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(item.size ?? content.length, 18);
    common.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, name, packed]);
    const extra = item.extra ?? Buffer.alloc(0);
    common.writeUInt16LE(extra.length, 24);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(((item.mode ?? 0) << 16) >>> 0, 6);
    rest.writeUInt32LE(offset, 10);
    central.push(
      Buffer.from('PK\u0001\u0002'),
      Buffer.from([20, item.mode === undefined ? 0 : 3]),
      common,
      rest,
      name,
      extra,
    );
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  end.writeUInt16LE(o.large ? 0xffff : items.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  const comment = Buffer.from(o.comment ?? '');
  end.writeUInt16LE(comment.length, 20);
  const large: Buffer[] = [];
  if (o.large) {
    const record = Buffer.alloc(56);
    record.write('PK\u0006\u0006', 'latin1');
    record.writeBigUInt64LE(BigInt(items.length), 32);
    record.writeBigUInt64LE(BigInt(directory.length), 40);
    record.writeBigUInt64LE(BigInt(offset), 48);
    const locator = Buffer.alloc(20);
    locator.write('PK\u0006\u0007', 'latin1');
    locator.writeBigUInt64LE(BigInt(offset + directory.length), 8);
    large.push(record, locator);
  }
  return Buffer.concat([...locals, directory, ...large, end, comment]);
}

async function withZip<T>(bytes: Uint8Array, work: (path: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'strake-zip-'));
  try {
    const path = join(folder, 'a.zip');
    writeFileSync(path, bytes);
    return await work(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('files stored and deflated, folders stated and not, links, modes and times', async () => {
  const time = Buffer.from([0x55, 0x54, 5, 0, 1, 0, 0, 0, 0]);
  time.writeInt32LE(1_700_000_000, 5);
  const long = 'long '.repeat(100_000);
  const bytes = zip(
    [
      { name: 'bin/', mode: 0o040711 },
      { name: 'bin/run', mode: 0o100755, content: 'run', extra: time },
      { name: 'link', mode: 0o120777, content: 'bin/run' },
      { name: './deep/er/data', mode: 0o100640, content: long, deflate: true },
      { name: 'dos\\file.txt', content: 'dos' },
      { name: 'twice', content: 'first' },
      { name: 'twice', content: 'last', deflate: true },
    ],
    { comment: 'a comment' },
  );
  await withZip(bytes, async (path) => {
    const tree = await zipTree(path);
    const entries = await tree.entries();
    assert.deepEqual(
      entries.map(({ path: name, type, mode, link, size }) => [name, type, mode, link ?? size]),
      [
        ['bin', 'directory', 0o711, 0],
        ['bin/run', 'file', 0o755, 3],
        ['deep', 'directory', 0o755, 0],
        ['deep/er', 'directory', 0o755, 0],
        ['deep/er/data', 'file', 0o640, 500_000],
        ['dos', 'directory', 0o755, 0],
        ['dos/file.txt', 'file', 0o644, 3],
        ['link', 'symlink', 0o777, 'bin/run'],
        ['twice', 'file', 0o644, 4],
      ],
    );
    assert.deepEqual([entries[1]?.mtime, entries[4]?.mtime], [1_700_000_000, 315_532_800]);
    const files = entries.filter(({ type }) => type === 'file');
    assert.equal(Buffer.from(await collect(tree.read(files))).toString(), `run${long}doslast`);
    assert.deepEqual(await tree.digests(files.slice(0, 2)), [
      digestOf(Buffer.from('run')),
      digestOf(Buffer.from(long)),
    ]);
    assert.equal(tree.locate?.(files[0] ?? assert.fail())?.length, 3);
    assert.equal(tree.locate?.(files[1] ?? assert.fail()), undefined);
  });
  await withZip(zip([{ name: 'a', content: 'x' }], { large: true }), async (path) => {
    assert.deepEqual(
      (await (await zipTree(path)).entries()).map(({ path: name }) => name),
      ['a'],
    );
  });
});

test('what is damaged, hostile or not plain is refused', async () => {
  const whole = zip([{ name: 'a', content: 'hello hello hello', deflate: true }]);
  for (const [bytes, code] of [
    [Buffer.from('no zip at all'), 'ZIP_INVALID'],
    [whole.subarray(0, whole.length - 30), 'ZIP_INVALID'],
    [zip([{ name: '../a', content: 'x' }]), 'PATH_TRAVERSAL'],
    [zip([{ name: 'a', content: 'x', flags: 1 }]), 'ZIP_UNSUPPORTED'],
    [zip([{ name: 'a', content: 'x', method: 14 }]), 'ZIP_UNSUPPORTED'],
    [zip([{ name: 'l', mode: 0o120777, content: 'x'.repeat(5000) }]), 'ZIP_INVALID'],
  ] as const)
    await withZip(bytes, async (path) => assert.rejects(zipTree(path), { code }));
  for (const item of [
    { name: 'a', content: 'hello', crc: 1 },
    { name: 'a', content: 'hello', deflate: true, size: 3 },
    { name: 'a', content: 'hello', deflate: true, size: 9 },
    { name: 'a', content: 'hello', method: 8 },
  ])
    await withZip(zip([item]), async (path) => {
      const tree = await zipTree(path);
      await assert.rejects(collect(tree.read(await tree.entries())), { code: 'ZIP_INVALID' });
    });
});
