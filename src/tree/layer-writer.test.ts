import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { collect } from '../base/index.ts';
import { digestOf, DiskBlobStore, type Digest } from '../blob/index.ts';
import { systemRandom } from '../base/index.ts';
import { decodePath, encodePath } from './path-text.ts';
import type { Entry } from './entry.ts';
import type { FileTree } from './file-tree.ts';
import { layerEntries } from './layer-entries.ts';
import type { Dialect } from './layer.ts';
import { writeLayer } from './layer-writer.ts';
import { randomTrees, treeOf, type RandomTree } from './random-tree.suite.ts';
import { longHeader, writeShortHeader } from './tar-encoder.ts';
import type { TarMember } from './tar-member.ts';
import { TarParser } from './tar-reader.ts';
import { tarFileTree } from './tar-tree.ts';
import { openLayer } from './toc.ts';

const scratch = mkdtempSync(join(tmpdir(), 'strake-layer-'));
after(() => rmSync(scratch, { recursive: true, force: true }));
const store = new DiskBlobStore(join(scratch, 'blobs'), { clock: { now: () => 0 }, random: systemRandom });

const EMPTY = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

const entry = (path: string, more: Partial<Entry> = {}): Entry => ({
  path,
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  size: 0,
  mtime: 0,
  mtimeNs: 0,
  ...more,
});
const folder = (path: string): Entry => entry(path, { type: 'directory', mode: 0o755 });

async function write(
  tree: FileTree,
  more: { epoch?: number; dialect?: Dialect } = {},
): Promise<{ diffId: Digest; tar: Buffer; path: string }> {
  const { diffId } = await writeLayer(tree, { store, dialect: 'oci', ...more });
  const path = store.pathOf(diffId);
  return { diffId, tar: readFileSync(path), path };
}

/** The names in an archive, in its order. */
function namesIn(tar: Buffer): string[] {
  const found: string[] = [];
  const parser = new TarParser('t', ({ path }) => found.push(path));
  parser.feed(tar);
  parser.end();
  return found;
}

/** What a layer must be read back as: whole seconds, the first name of an inode leading. */
function expected({ entries }: RandomTree): Entry[] {
  return layerEntries(entries, { dialect: 'oci' })
    .map((item) => item.entry)
    .sort((a, b) => entries.findIndex((e) => e.path === a.path) - entries.findIndex((e) => e.path === b.path));
}

test('the empty layer is the well-known one', async () => {
  assert.equal((await write(treeOf([], new Map()))).diffId, EMPTY);
  assert.equal((await write(treeOf([folder('')], new Map()))).diffId, EMPTY);
  assert.deepEqual(await (await openLayer(store, EMPTY)).entries(), []);
});

test('random trees come back from the tar, the table of contents, and a scan', async () => {
  await fc.assert(
    fc.asyncProperty(randomTrees(), async (tree) => {
      const { diffId, path, tar } = await write(treeOf(tree.entries, tree.contents));
      assert.equal(digestOf(tar), diffId);
      const scanned = await tarFileTree(path);
      const opened = await openLayer(store, diffId);
      const entries = await scanned.entries();
      assert.deepEqual(entries, expected(tree));
      assert.deepEqual(await opened.entries(), entries);
      const files = entries.filter(({ type }) => type === 'file');
      const links = new Map(tree.entries.map((e) => [e.path, e]));
      const contents = files.map(({ path: p }) => tree.contents.get(links.get(p)?.link ?? p) ?? new Uint8Array(0));
      for (const t of [scanned, opened]) {
        assert.ok(Buffer.concat(contents).equals(await collect(t.read(files))));
        assert.deepEqual(
          await t.digests(files),
          contents.map((c) => digestOf(c)),
        );
        for (const file of files) assert.deepEqual(t.locate!(file), scanned.locate!(file));
      }
      // Written again from itself, by regions instead of streams: the same bytes.
      assert.equal((await write(scanned)).diffId, diffId);
      // A second look finds the digests remembered.
      assert.deepEqual(
        await (await openLayer(store, diffId)).digests(files),
        contents.map((c) => digestOf(c)),
      );
    }),
    { numRuns: 120 },
  );
});

test('the order of the input does not matter', async () => {
  await fc.assert(
    fc.asyncProperty(randomTrees(), fc.infiniteStream(fc.nat()), async (tree, numbers) => {
      const shuffled = tree.entries
        .map((e) => ({ e, key: numbers.next().value as number }))
        .sort((a, b) => a.key - b.key)
        .map(({ e }) => e);
      assert.equal(
        (await write(treeOf(shuffled, tree.contents))).diffId,
        (await write(treeOf(tree.entries, tree.contents))).diffId,
      );
    }),
    { numRuns: 60 },
  );
});

test('GNU tar lists and unpacks what was written', async () => {
  await fc.assert(
    fc.asyncProperty(randomTrees(['file', 'symlink', 'hardlink']), async (tree) => {
      const { path } = await write(treeOf(tree.entries, tree.contents));
      const entries = expected(tree);
      const listed = spawnSync('tar', ['--quoting-style=literal', '--null', '-tf', path]);
      assert.equal(listed.stderr.toString(), '');
      const to = mkdtempSync(join(scratch, 'out-'));
      const unpacked = spawnSync(
        'tar',
        ['-xf', path, '-C', to, '--no-same-owner', '--no-same-permissions', '--delay-directory-restore'],
        { env: { ...process.env, LC_ALL: 'C' } },
      );
      assert.equal(unpacked.status, 0, unpacked.stderr.toString());
      const links = new Map(tree.entries.map((e) => [e.path, e]));
      for (const { path: p, type } of entries)
        if (type === 'file') {
          const real = Buffer.concat([Buffer.from(`${to}/`), encodePath(p)]);
          assert.ok(Buffer.from(tree.contents.get(links.get(p)?.link ?? p)!).equals(readFileSync(real)), p);
        }
      const count = spawnSync('find', [to, '-mindepth', '1', '-printf', 'x']).stdout.length;
      assert.equal(count, entries.length);
    }),
    { numRuns: 25 },
  );
});

test(
  'bsdtar lists what was written',
  { skip: spawnSync('bsdtar', ['--version']).error ? 'bsdtar is not installed' : false },
  async () => {
    await fc.assert(
      fc.asyncProperty(randomTrees(), async (tree) => {
        // libarchive wants PAX names to be UTF-8 (Go, like GNU tar, writes the bytes); a line break would be two lines.
        const plain = tree.entries.filter(
          ({ path, link = '' }) => !`${path}${link}`.includes('\n') && path.isWellFormed() && link.isWellFormed(),
        );
        const { path, tar } = await write(treeOf(plain, tree.contents));
        const listed = spawnSync('bsdtar', ['-tvf', path], { env: { ...process.env, LC_ALL: 'C.UTF-8' } });
        assert.equal(listed.status, 0, listed.stderr.toString());
        assert.equal(listed.stdout.toString().split('\n').length - 1, namesIn(tar).length);
      }),
      { numRuns: 20 },
    );
  },
);

test('headers are those that Go writes: ustar unless something does not fit', async () => {
  const block = Buffer.alloc(512);
  assert.ok(
    writeShortHeader(
      entry('bin/true', { mode: 0o4755, uid: 1000, gid: 100, size: 5, mtime: 1_700_000_000 }),
      'bin/true',
      block,
      0,
    ),
  );
  const field = (at: number, length: number): string => block.toString('latin1', at, at + length);
  assert.equal(field(0, 10), 'bin/true\0\0');
  assert.equal(field(100, 48), '0004755\x000001750\x000000144\x0000000000005\x0014524770400\0');
  assert.equal(field(156, 1), '0');
  assert.equal(field(257, 8), 'ustar\x0000');
  assert.equal(field(265, 64), '\0'.repeat(64));
  assert.equal(field(329, 16), '0000000\x000000000\0');
  // 100 bytes fit, 101 are split at the last slash that leaves 155 before it.
  const long = `${'d'.repeat(50)}/${'e'.repeat(60)}/`;
  assert.ok(writeShortHeader(entry('x', { type: 'directory' }), long, block, 0));
  assert.equal(field(345, 51), `${'d'.repeat(50)}\0`);
  assert.equal(field(0, 62), `${'e'.repeat(60)}/\0`);
  assert.equal(writeShortHeader(entry('x'), 'f'.repeat(101), block, 0), false);
  assert.equal(writeShortHeader(entry('é'), 'é', block, 0), false);
  // A PAX header of what does not fit, sorted; the ASCII of the name in the header itself.
  const pax = longHeader(
    entry('d/é', { uid: 2097152, mtime: -5, xattrs: new Map([['security.capability', Buffer.from([1, 0, 2])]]) }),
    'd/é',
  );
  assert.equal(pax.length, 3 * 512);
  assert.equal(pax.toString('latin1', 0, 16), 'd/PaxHeaders.0\0\0');
  assert.equal(pax.toString('latin1', 156, 157), 'x');
  assert.equal(
    pax.toString('latin1', 512, 613).replace(/\0+$/, ''),
    '40 SCHILY.xattr.security.capability=\x01\x00\x02\n12 mtime=-5\n13 path=d/\xc3\xa9\n15 uid=2097152\n',
  );
  assert.equal(pax.toString('latin1', 1024, 1027), 'd/\0');
  assert.equal(pax.toString('latin1', 1024 + 108, 1024 + 116), '0000000\0');
});

test('sizes above 8 GiB get a PAX record', () => {
  const members: TarMember[] = [];
  const parser = new TarParser('t', (member) => members.push(member));
  for (const size of [8 ** 11 - 1, 8 ** 11, 2 ** 45]) {
    const e = entry('big', { size });
    const block = Buffer.alloc(512);
    const short = writeShortHeader(e, 'big', block, 0);
    assert.equal(short, size < 8 ** 11);
    parser.feed(short ? block : longHeader(e, 'big'));
    assert.equal(members.at(-1)?.size, size);
    parser.skip(parser.skippable);
  }
});

test('whiteouts stand before their siblings, the opaque mark first of all', async () => {
  const gone = (path: string): Entry => entry(path, { type: 'whiteout', mode: 0o777, uid: 5, mtime: 9 });
  const tree = treeOf(
    [
      folder('d'),
      entry('d/a'),
      entry('d', { type: 'opaque' }),
      folder('d/m'),
      entry('d/m/x'),
      gone('d/m/z'),
      gone('d/b'),
      entry('d/b'),
      gone('d/z'),
      folder('d-e'),
      gone('zz'),
      entry('', { type: 'opaque' }),
    ],
    new Map(),
  );
  const { tar, diffId } = await write(tree);
  assert.deepEqual(namesIn(tar), [
    '.wh..wh..opq',
    '.wh.zz',
    'd/',
    'd/.wh..wh..opq',
    'd/.wh.b',
    'd/.wh.z',
    'd/a',
    'd/b',
    'd/m/',
    'd/m/.wh.z',
    'd/m/x',
    'd-e/',
  ]);
  const entries = await (await openLayer(store, diffId)).entries();
  assert.deepEqual(
    entries.find(({ path, type }) => path === 'zz' && type === 'whiteout'),
    { ...gone('zz'), mode: 0, uid: 0 },
  );
});

test('times later than the epoch become the epoch, others are kept in whole seconds', async () => {
  const tree = treeOf([entry('a', { mtime: 50, mtimeNs: 7 }), entry('b', { mtime: 150, mtimeNs: 7 })], new Map());
  const { diffId } = await write(tree, { epoch: 100 });
  assert.deepEqual(
    (await (await openLayer(store, diffId)).entries()).map(({ mtime, mtimeNs }) => [mtime, mtimeNs]),
    [
      [50, 0],
      [100, 0],
    ],
  );
});

test('the lifecycle dialect: absolute names, one time, no links', async () => {
  const content = new Map([['layers/x/f', Buffer.from('content')]]);
  const entries = [
    folder('layers'),
    folder('layers/x'),
    entry('layers/x/f', { size: 7, mtime: 1e9, xattrs: new Map([['user.a', Buffer.from('b')]]) }),
    entry('layers/x/h', { type: 'hardlink', link: 'layers/x/f' }),
    entry('layers/x/s', { type: 'symlink', link: 'f', mode: 0o777 }),
  ];
  const { tar, diffId, path } = await write(treeOf(entries, content), { dialect: 'lifecycle' });
  assert.deepEqual(namesIn(tar), ['/layers', '/layers/x', '/layers/x/f', '/layers/x/h', '/layers/x/s']);
  assert.equal(tar.toString('latin1', 136, 148), '02263523001\0');
  assert.equal(tar.length, 512 * (5 + 2) + 1024);
  const opened = await (await openLayer(store, diffId)).entries();
  assert.deepEqual(opened, await (await tarFileTree(path)).entries());
  assert.deepEqual(
    opened.map(({ type, xattrs }) => [type, xattrs]),
    [
      ['directory', undefined],
      ['directory', undefined],
      ['file', undefined],
      ['file', undefined],
      ['symlink', undefined],
    ],
  );
  await assert.rejects(write(treeOf([entry('a', { type: 'whiteout' })], new Map()), { dialect: 'lifecycle' }), {
    code: 'ENTRY_UNENCODABLE',
  });
});

test('the lifecycle dialect of slices sorts by the whole path', async () => {
  const entries = [
    folder('a'),
    entry('a/b'),
    entry('a/\u{1f600}'),
    entry('a/\uffee'),
    entry('a-b'),
    entry('a.b'),
    entry('aa'),
  ];
  const names = ['/a', '/a-b', '/a.b', '/a/b', '/a/\uffee', '/a/\u{1f600}', '/aa'];
  const slice = await write(treeOf(entries, new Map()), { dialect: 'lifecycle-slice' });
  assert.deepEqual(namesIn(slice.tar), names);
  const walked = await write(treeOf(entries, new Map()), { dialect: 'lifecycle' });
  assert.deepEqual(namesIn(walked.tar), ['/a', '/a/b', '/a/\uffee', '/a/\u{1f600}', '/a-b', '/a.b', '/aa']);
  assert.deepEqual(
    (await (await openLayer(store, slice.diffId)).entries()).map(({ path }) => `/${path}`),
    namesIn(walked.tar),
  );
});

test('a file that changes while it is read is named, and nothing is stored', async () => {
  const file = join(scratch, 'source');
  writeFileSync(file, 'x'.repeat(5000));
  const e = entry('dir/name', { size: 5000 });
  const tree = (path: string): FileTree => ({
    ...treeOf([e], new Map()),
    locate: () => ({ path, offset: 0, length: 5000 }),
  });
  const before = readdirSync(join(scratch, 'blobs/sha256'), { recursive: true }).length;
  truncateSync(file, 4000);
  await assert.rejects(write(tree(file)), { code: 'FILE_CHANGED', message: /"dir\/name".*shorter/ });
  await assert.rejects(write(tree(join(scratch, 'none'))), { code: 'FILE_CHANGED', message: /"dir\/name".*gone/ });
  await assert.rejects(write(tree(scratch)), { code: 'FILE_CHANGED', message: /"dir\/name"/ });
  await assert.rejects(write(treeOf([e], new Map([['dir/name', new Uint8Array(10)]]))), {
    code: 'FILE_CHANGED',
    message: /"dir\/name".*ended early/,
  });
  assert.equal(readdirSync(join(scratch, 'blobs/sha256'), { recursive: true }).length, before);
  assert.deepEqual(readdirSync(join(scratch, 'blobs/ingest')), []);
});

test('what a careless tree says of folders does no harm', async () => {
  const careless = [
    entry('d', { type: 'directory', mode: 0o40755, size: 4096 }),
    entry('d/f', { mode: 0o100644, size: 2 }),
  ];
  const { path } = await write(treeOf(careless, new Map([['d/f', Buffer.from('ab')]])));
  const entries = await (await tarFileTree(path)).entries();
  assert.deepEqual(entries, [folder('d'), entry('d/f', { size: 2 })]);
});

test('what no tar can hold is refused', async () => {
  for (const [entries, message] of [
    [[entry('a'), entry('a')], /twice/],
    [[entry('a\0b')], /NUL/],
    [[entry('a', { xattrs: new Map([['x=y', Buffer.from('')]]) })], /extended attribute "x=y"/],
    [[entry('a', { type: 'hardlink', link: 'b' }), entry('b', { type: 'hardlink', link: 'a' })], /circle/],
    [[entry('a', { type: 'block', device: { major: 2 ** 21, minor: 0 } })], /device number/],
    [[folder('a'), entry('b', { type: 'hardlink', link: 'a' })], /folder "a"/],
  ] as const)
    await assert.rejects(write(treeOf(entries, new Map())), { code: 'ENTRY_UNENCODABLE', message });
});

test('a table of contents that is damaged, missing or old is made again', async () => {
  const { diffId } = await write(
    treeOf(
      [entry(decodePath(Buffer.from([0xff]))), entry('日本', { size: 2 })],
      new Map([['日本', Buffer.from('ab')]]),
    ),
  );
  const hex = diffId.slice(7);
  const toc = join(scratch, 'blobs/toc/sha256', hex.slice(0, 2), hex);
  const whole = readFileSync(toc);
  const entries = await (await openLayer(store, diffId)).entries();
  for (const damage of [
    whole.subarray(0, 40),
    Buffer.concat([whole, Buffer.from('x')]),
    Buffer.from(whole).fill(7, 100, 110),
    Buffer.from(whole).fill(9, 6, 7),
    Buffer.alloc(0),
  ]) {
    writeFileSync(toc, damage);
    assert.deepEqual(await (await openLayer(store, diffId)).entries(), entries);
    assert.deepEqual(readFileSync(toc), whole);
  }
  rmSync(toc);
  assert.deepEqual(await (await openLayer(store, diffId)).entries(), entries);
  await assert.rejects(openLayer(store, `sha256:${'0'.repeat(64)}`), { code: 'BLOB_NOT_FOUND' });
});

test('a cancelled write stores nothing', async () => {
  const signal = AbortSignal.abort(new Error('enough'));
  await assert.rejects(writeLayer(treeOf([entry('a')], new Map()), { store, dialect: 'oci', signal }), {
    code: 'CANCELLED',
  });
  assert.deepEqual(readdirSync(join(scratch, 'blobs/ingest')), []);
});
