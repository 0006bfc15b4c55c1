import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { bytesOf, collect } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import { fsPath } from './path-text.ts';
import { block, header, octal, pax } from './tar-blocks.suite.ts';
import { readTar } from './scan-tar.ts';
import type { TarMember } from './tar-member.ts';
import { TarParser } from './tar-reader.ts';
import { tarFileTree } from './tar-tree.ts';

const scratch = mkdtempSync(join(tmpdir(), 'strake-tar-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

function members(...parts: Buffer[]): TarMember[] {
  const found: TarMember[] = [];
  const parser = new TarParser('read archive "t"', (member) => found.push(member));
  parser.feed(Buffer.concat(parts));
  parser.end();
  return found;
}

/** A folder with what archives have: returns its content by path. */
function makeFolder(name: string): { folder: string; contents: Map<string, Buffer> } {
  const folder = join(scratch, name);
  const contents = new Map<string, Buffer>();
  const file = (path: string, content: string | Buffer): void => {
    mkdirSync(join(folder, path, '..'), { recursive: true });
    writeFileSync(fsPath(folder, path), content);
    contents.set(path, Buffer.from(content));
  };
  file('a', 'alpha');
  file('empty', '');
  file('dir/b', Buffer.alloc(100_000, 'b'));
  file(`${'long/'.repeat(60)}${'n'.repeat(120)}`, 'deep');
  file('dir/é日本😀', 'utf-8');
  file('dir/raw\udce9', 'latin-1');
  linkSync(join(folder, 'a'), join(folder, 'dir/a-again'));
  symlinkSync('../a', join(folder, 'dir/s'));
  symlinkSync('x'.repeat(150), join(folder, 'far'));
  spawnSync('mkfifo', [join(folder, 'fifo')]);
  const fd = openSync(join(folder, 'sparse'), 'w');
  const expected = Buffer.alloc(3 << 20);
  for (let i = 0; i < 20; i++) {
    const at = i * 150_000 + 4096;
    writeSync(fd, 'data!', at);
    expected.write('data!', at);
  }
  ftruncateSync(fd, 3 << 20);
  closeSync(fd);
  contents.set('sparse', expected);
  utimesSync(join(folder, 'a'), 1, 1_234_567.25);
  return { folder, contents };
}

const { folder, contents } = makeFolder('source');
const VARIANTS: readonly (readonly string[])[] = [
  ['--format=gnu'],
  ['--format=oldgnu', '--sparse'],
  ['--format=gnu', '--sparse'],
  ['--format=posix'],
  ['--format=posix', '--sparse', '--sparse-version=0.0'],
  ['--format=posix', '--sparse', '--sparse-version=0.1'],
  ['--format=posix', '--sparse', '--sparse-version=1.0'],
];

for (const options of VARIANTS)
  test(`reads what GNU tar ${options.join(' ')} writes`, async () => {
    const path = join(scratch, 'gnu.tar');
    const made = spawnSync('tar', [...options, '-cf', path, '-C', folder, '.']);
    assert.equal(made.status, 0, made.stderr.toString());
    const tree = await tarFileTree(path);
    const entries = await tree.entries();
    const files = entries.filter(({ type }) => type === 'file');
    // "dir/a-again" sorts after "a": whatever order tar met them in, "a" leads.
    assert.deepEqual(files.map((e) => e.path).sort(), [...contents.keys()].sort());
    for (const file of files) {
      const want = contents.get(file.path)!;
      assert.equal(file.size, want.length, file.path);
      assert.ok(want.equals(await collect(tree.read([file]))), file.path);
    }
    const all = await collect(tree.read(files));
    assert.ok(Buffer.concat(files.map((f) => contents.get(f.path)!)).equals(all));
    const by = new Map(entries.map((entry) => [entry.path, entry]));
    assert.equal(by.get('')?.type, 'directory');
    assert.deepEqual([by.get('dir/a-again')?.type, by.get('dir/a-again')?.link], ['hardlink', 'a']);
    assert.deepEqual([by.get('dir/s')?.type, by.get('dir/s')?.link], ['symlink', '../a']);
    assert.equal(by.get('far')?.link, 'x'.repeat(150));
    assert.equal(by.get('fifo')?.type, 'fifo');
    assert.deepEqual(
      [by.get('a')?.mtime, by.get('a')?.mtimeNs],
      [1_234_567, options.includes('--format=posix') ? 250_000_000 : 0],
    );
    const sparse = by.get('sparse')!;
    assert.equal(tree.locate?.(sparse) === undefined, options.includes('--sparse'));
    assert.deepEqual(await tree.digests([sparse]), [digestOf(contents.get('sparse')!)]);
  });

const bsdtar = spawnSync('bsdtar', ['--version']).error === undefined;

for (const format of ['pax', 'gnutar', 'ustar'])
  test(
    `reads what bsdtar --format=${format} writes`,
    { skip: bsdtar ? false : 'bsdtar is not installed' },
    async () => {
      const path = join(scratch, 'bsd.tar');
      const exclude = format === 'ustar' ? ['--exclude=far', '--exclude=long'] : [];
      const made = spawnSync('bsdtar', [`--format=${format}`, ...exclude, '-cf', path, '-C', folder, '.'], {
        env: { ...process.env, LC_ALL: 'C.UTF-8' },
      });
      assert.equal(made.status, 0, made.stderr.toString());
      const tree = await tarFileTree(path);
      for (const file of (await tree.entries()).filter(({ type }) => type === 'file'))
        assert.ok(contents.get(file.path)!.equals(await collect(tree.read([file]))), file.path);
      assert.ok((await tree.entries()).length >= 10);
    },
  );

for (const format of ['v7', 'ustar'])
  test(`reads what GNU tar --format=${format} writes`, async () => {
    const small = join(scratch, `small-${format}`);
    const name = format === 'v7' ? 'd/x' : `${'p'.repeat(90)}/${'q'.repeat(90)}`;
    mkdirSync(join(small, name, '..'), { recursive: true });
    writeFileSync(join(small, name), 'x');
    const path = join(scratch, `${format}.tar`);
    assert.equal(spawnSync('tar', [`--format=${format}`, '-cf', path, '-C', small, '.']).status, 0);
    const entries = await (await tarFileTree(path)).entries();
    assert.deepEqual(
      entries.map(({ path: p, type }) => [p, type]),
      [
        ['', 'directory'],
        [name.split('/')[0], 'directory'],
        [name, 'file'],
      ],
    );
  });

test('numbers: sizes above 8 GiB, base 256, negative times', () => {
  const base256 = Buffer.from([0x80, 0, 0, 0, 0, 0, 0, 0x03, 0, 0, 0, 1]);
  const negative = Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]);
  const found: TarMember[] = [];
  const parser = new TarParser('read archive "t"', (member) => found.push(member));
  parser.feed(header({ 0: 'big', 124: base256, 136: negative }));
  assert.equal(found[0]?.size, 3 * 2 ** 32 + 1);
  assert.equal(found[0]?.mtime, -2);
  parser.skip(parser.skippable);
  parser.feed(pax('x', { size: '9000000000', mtime: '-1.5', uid: '4294967294', path: 'é' }));
  parser.feed(header({ 0: 'pax' }));
  assert.deepEqual(
    { ...found[1], at: 0 },
    { ...found[1], at: 0, path: 'é', size: 9e9, stored: 9e9, mtime: -2, mtimeNs: 5e8, uid: 4294967294 },
  );
  parser.skip(parser.skippable);
  parser.end();
});

test('PAX: global headers, xattrs of both kinds, values taken back', () => {
  const [a, b] = members(
    pax('g', { uid: '7', comment: 'x' }),
    pax('x', {
      'SCHILY.xattr.user.a': Buffer.from([1, 0, 255, 10]),
      'LIBARCHIVE.xattr.user.b%3d': 'Ynl0ZXM',
      'LIBARCHIVE.xattr.user.a': 'AAAA',
      gid: '',
    }),
    header({ 0: 'a', 116: '0000005\0' }),
    pax('x', { uid: '8' }),
    header({ 0: 'b' }),
    Buffer.alloc(1024),
  );
  assert.deepEqual([a?.uid, a?.gid, b?.uid, b?.xattrs], [7, 5, 8, undefined]);
  assert.deepEqual(
    [...a!.xattrs!].map(([k, v]) => [k, [...v]]),
    [
      ['user.a', [1, 0, 255, 10]],
      ['user.b=', [...Buffer.from('bytes')]],
    ],
  );
});

test('any chunking gives the same members', () => {
  const archive = Buffer.concat([
    pax('x', {
      path: 'p'.repeat(700),
      'GNU.sparse.major': '1',
      'GNU.sparse.minor': '0',
      'GNU.sparse.name': 'sparse',
      'GNU.sparse.realsize': '100000',
    }),
    header({ 0: 'x', 124: octal(512 * 4 + 300) }),
    block(`300\n${Array.from({ length: 300 }, (_, i) => `${i * 10}\n1\n`).join('')}`).subarray(0, 2048),
    Buffer.alloc(512, 1),
    header({ 0: '././@LongLink', 124: octal(300), 156: 'L' }),
    block('n'.repeat(300)),
    header({ 0: 'n', 124: octal(5) }),
    block('hello'),
    Buffer.alloc(1024),
  ]);
  const whole = members(archive);
  assert.deepEqual(
    whole.map((m) => [m.path, m.size, m.stored]),
    [
      ['sparse', 100000, 300],
      ['n'.repeat(300), 5, 5],
    ],
  );
  fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 1500 }), { minLength: 1, maxLength: 30 }), async (cuts) => {
      const chunks: Buffer[] = [];
      for (let at = 0, i = 0; at < archive.length; i++) {
        const n = cuts[i % cuts.length]!;
        chunks.push(archive.subarray(at, at + n));
        at += n;
      }
      const found: TarMember[] = [];
      await readTar(bytesOf(...chunks), new TarParser('read archive "t"', (member) => found.push(member)));
      assert.deepEqual(found, whole);
    }),
  );
});

const BROKEN: readonly (readonly [string, Buffer, string, RegExp])[] = [
  ['not a tar', Buffer.alloc(2048, 'text'), 'TAR_CORRUPT', /not a tar archive/],
  [
    'a wrong checksum',
    Buffer.concat([header({ 0: 'a' }), header({ 0: 'b' }, { checksum: '000001\0 ' })]),
    'TAR_CORRUPT',
    /wrong checksum/,
  ],
  [
    'truncated content',
    Buffer.concat([header({ 0: 'a', 124: octal(600) }), Buffer.alloc(512)]),
    'TAR_CORRUPT',
    /truncated at byte 1024/,
  ],
  ['a truncated header', header({ 0: 'a' }).subarray(0, 300), 'TAR_CORRUPT', /truncated/],
  ['an extended header without entry', pax('x', { path: 'b' }), 'TAR_CORRUPT', /truncated/],
  [
    'a negative size',
    header({ 0: 'a', 124: Buffer.from('ffffffffffffffffffffffff', 'hex') }),
    'TAR_CORRUPT',
    /"a"|size is negative/,
  ],
  [
    'a huge size',
    header({ 0: 'a', 124: Buffer.from('807fffffffffffffffffffff', 'hex') }),
    'TAR_CORRUPT',
    /size is too large/,
  ],
  ['a size of letters', header({ 0: 'a', 124: 'lots' }), 'TAR_CORRUPT', /size is not a number/],
  ['a huge extended header', header({ 0: 'a', 124: octal(1 << 21), 156: 'x' }), 'TAR_LIMIT', /more than 1048576/],
  [
    'endless extended headers',
    Buffer.concat(Array.from({ length: 40 }, () => pax('x', { path: 'a' }))),
    'TAR_LIMIT',
    /in a row/,
  ],
  [
    'a malformed record',
    Buffer.concat([header({ 0: 'a', 124: octal(10), 156: 'x' }), block('99 path=a\n')]),
    'TAR_CORRUPT',
    /record/,
  ],
  ['a NUL in a path', Buffer.concat([pax('x', { path: 'a\0b' }), header({ 0: 'a' })]), 'TAR_CORRUPT', /NUL/],
  [
    'too long a name',
    Buffer.concat([pax('x', { path: 'a/'.repeat(10_000) }), header({ 0: 'a' })]),
    'TAR_LIMIT',
    /20000 characters/,
  ],
  ['data after one zero block', Buffer.concat([Buffer.alloc(512), header({ 0: 'a' })]), 'TAR_CORRUPT', /end/],
  [
    'an overlapping sparse map',
    Buffer.concat([
      pax('x', { 'GNU.sparse.size': '9', 'GNU.sparse.map': '0,5,3,2' }),
      header({ 0: 'a', 124: octal(7) }),
    ]),
    'TAR_CORRUPT',
    /entry "a"|malformed/,
  ],
  ['a part of several volumes', header({ 0: 'a', 156: 'M' }), 'TAR_UNSUPPORTED', /several volumes/],
];

for (const [what, archive, code, message] of BROKEN)
  test(`refuses ${what}`, () => {
    assert.throws(
      () => members(archive),
      (error: unknown) => {
        const { code: got, message: text } = error as { code: string; message: string };
        assert.equal(got, code, text);
        assert.match(text, message);
        assert.match(text, /^read archive "t": /);
        return true;
      },
    );
  });

test('random bytes are refused or read, never worse', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 1600 }), fc.boolean(), (bytes, sum) => {
      const b = Buffer.from(bytes);
      const first =
        sum && b.length >= 512 ? header({ 0: b.subarray(0, 148), 156: b.subarray(156, 512) }) : b.subarray(0, 512);
      try {
        members(first, b.subarray(512));
      } catch (error) {
        assert.match((error as { code: string }).code, /^TAR_/, String(error));
      }
    }),
    { numRuns: 500 },
  );
});
