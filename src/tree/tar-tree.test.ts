import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { collect } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import { block, header, octal } from './tar-blocks.suite.ts';
import { indexTar, tarFileTree } from './tar-tree.ts';

const scratch = mkdtempSync(join(tmpdir(), 'strake-tree-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

const file = (path: string, content = ''): Buffer =>
  Buffer.concat([header({ 0: path, 124: octal(content.length) }), block(content)]);
const made = (type: string, path: string, link = ''): Buffer => header({ 0: path, 156: type, 157: link });
const folder = (path: string): Buffer => made('5', `${path}/`);
const hardlink = (path: string, link: string): Buffer => made('1', path, link);
const symlink = (path: string, link: string): Buffer => made('2', path, link);

let count = 0;
function write(...parts: Buffer[]): string {
  const path = join(scratch, `${count++}.tar`);
  writeFileSync(path, Buffer.concat([...parts, Buffer.alloc(1024)]));
  return path;
}

/** Each entry as `type path[ -> link][ = content]`. */
async function shape(...parts: Buffer[]): Promise<string[]> {
  const tree = await tarFileTree(write(...parts));
  const lines: string[] = [];
  for (const entry of await tree.entries()) {
    const content =
      entry.type === 'file' && entry.size > 0 ? ` = ${Buffer.from(await collect(tree.read([entry]))).toString()}` : '';
    lines.push(`${entry.type} ${entry.path}${entry.link === undefined ? '' : ` -> ${entry.link}`}${content}`);
  }
  return lines;
}

test('names are brought into one form, in canonical order', async () => {
  assert.deepEqual(
    await shape(
      folder('.'),
      file('./b', '1'),
      folder('./a'),
      file('/a/z', '2'),
      file('a-b', '3'),
      file('./a//./y', '4'),
    ),
    ['directory ', 'directory a', 'file a/y = 4', 'file a/z = 2', 'file a-b = 3', 'file b = 1'],
  );
});

test('the last of several wins, with what it replaces below it', async () => {
  assert.deepEqual(await shape(file('a', 'old'), file('a', 'new')), ['file a = new']);
  assert.deepEqual(await shape(folder('d'), file('d/x', '1'), file('d', 'f')), ['file d = f']);
  assert.deepEqual(await shape(file('d/x', '1'), symlink('d', 'e')), ['symlink d -> e']);
  assert.deepEqual(await shape(file('d', '1'), folder('d'), file('d/x', '2')), ['directory d', 'file d/x = 2']);
});

test('hard links: the first name leads, replaced names keep no content of others', async () => {
  assert.deepEqual(await shape(file('z', '1'), hardlink('m', 'z'), hardlink('./a', './m')), [
    'file a = 1',
    'hardlink m -> a',
    'hardlink z -> a',
  ]);
  assert.deepEqual(await shape(file('a', '1'), hardlink('b', 'a'), file('a', '2')), ['file a = 2', 'file b = 1']);
  assert.deepEqual(await shape(file('a', '1'), hardlink('c', 'a'), hardlink('b', 'a'), file('a', '2')), [
    'file a = 2',
    'file b = 1',
    'hardlink c -> b',
  ]);
  assert.deepEqual(await shape(hardlink('x', 'lower/y'), hardlink('v', 'x')), [
    'hardlink v -> lower/y',
    'hardlink x -> lower/y',
  ]);
  assert.deepEqual(await shape(symlink('t', 'u'), hardlink('s', 't')), ['symlink s -> u', 'hardlink t -> s']);
  assert.deepEqual(await shape(file('a', '1'), hardlink('a', 'a')), ['file a = 1']);
});

test('whiteouts, before what stands in their place; other AUFS files are left out', async () => {
  assert.deepEqual(
    await shape(
      folder('d'),
      file('d/x', '1'),
      file('d/.wh.x'),
      file('d/.wh..wh..opq'),
      file('.wh.gone'),
      file('.wh..wh.aufs'),
      folder('.wh..wh.plnk'),
      file('.wh..wh.plnk/1.2', 'q'),
    ),
    ['directory d', 'opaque d', 'whiteout d/x', 'file d/x = 1', 'whiteout gone'],
  );
  const index = await indexTar(write(file('d/.wh.x')), { what: 'read archive "a"', layer: false });
  assert.deepEqual(
    index.entries.map(({ path, type }) => [path, type]),
    [['d/.wh.x', 'file']],
  );
});

test('what lies below a symlink of the same layer is put where it leads, inside the root', async () => {
  assert.deepEqual(await shape(folder('usr/bin'), symlink('bin', 'usr/bin'), file('bin/sh', 's')), [
    'symlink bin -> usr/bin',
    'directory usr/bin',
    'file usr/bin/sh = s',
  ]);
  assert.deepEqual(await shape(symlink('a/up', '../../../etc'), file('a/up/passwd', 'p')), [
    'symlink a/up -> ../../../etc',
    'file etc/passwd = p',
  ]);
  assert.deepEqual(await shape(symlink('abs', '/x/y'), file('abs/f', 'p')), ['symlink abs -> /x/y', 'file x/y/f = p']);
});

const REFUSED: readonly (readonly [string, readonly Buffer[], string, RegExp])[] = [
  [
    '".." in a name',
    [file('a/../../etc/passwd')],
    'PATH_TRAVERSAL',
    /layer path traversal: entry "a\/..\/..\/etc\/passwd"/,
  ],
  ['".." that stays inside', [file('a/../b')], 'PATH_TRAVERSAL', /layer path traversal/],
  ['".." in a hard link', [hardlink('a', '../b')], 'PATH_TRAVERSAL', /entry "a" \(link to "..\/b"\)/],
  ['a whiteout of ".."', [file('d/.wh...')], 'PATH_TRAVERSAL', /layer path traversal: whiteout "d\/.wh\.\.\."/],
  ['a whiteout of nothing', [file('d/.wh.')], 'PATH_TRAVERSAL', /whiteout/],
  ['a file below a file', [file('a', '1'), file('a/b', '2')], 'TAR_CORRUPT', /entry "a\/b": "a" is not a folder/],
  [
    'a circle of symlinks',
    [symlink('a', 'b'), symlink('b', 'a'), file('a/x')],
    'TAR_CORRUPT',
    /too many symbolic links/,
  ],
  ['a hard link to a folder', [folder('d'), hardlink('a', 'd')], 'TAR_CORRUPT', /hard link to the folder "d"/],
  ['a hard link to itself', [hardlink('a', 'a')], 'TAR_CORRUPT', /itself/],
  ['a file that is the root', [file('./', 'x'), file('.', 'x')], 'TAR_CORRUPT', /root/],
];

for (const [what, parts, code, message] of REFUSED)
  test(`refuses ${what}`, async () => {
    await assert.rejects(tarFileTree(write(...parts)), { code, message });
  });

test('an archive that is no layer may name what stays inside', async () => {
  const o = { what: 'read archive "a"', layer: false };
  assert.deepEqual(
    (await indexTar(write(file('a/../b')), o)).entries.map(({ path }) => path),
    ['b'],
  );
  await assert.rejects(indexTar(write(file('a/../../b')), o), { code: 'PATH_TRAVERSAL' });
});

test('content is read in place, by region, stream and digest; a tar cut short is noticed', async () => {
  const big = 'x'.repeat(3 << 20);
  const path = write(file('a', 'alpha'), file('big', big), file('c', 'gamma'), file('empty'));
  const tree = await tarFileTree(path);
  const files = await tree.entries();
  assert.equal(
    Buffer.from(await collect(tree.read([files[2]!, files[1]!, files[3]!, files[0]!]))).toString(),
    `gamma${big}alpha`,
  );
  assert.deepEqual(
    await tree.digests(files),
    ['alpha', big, 'gamma', ''].map((content) => digestOf(content)),
  );
  assert.deepEqual(tree.locate?.(files[0]!), { path, offset: 512, length: 5 });
  writeFileSync(path, 'short');
  await assert.rejects(collect(tree.read(files)), { code: 'FILE_CHANGED', message: /read "a" of .*shorter/ });
  rmSync(path);
  await assert.rejects(tree.digests(files), { code: 'FILE_CHANGED', message: /it is gone/ });
});
