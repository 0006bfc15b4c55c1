import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { memoryTree } from './compose.ts';
import { extractTree } from './extract.ts';
import { unionOf } from './union.ts';
import { walkFolder } from './walk-folder.ts';

function temporary(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'strake-extract-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

test('a tree is written as it is and reads back the same', async (t) => {
  const big = 'x'.repeat(3 << 20);
  const tree = memoryTree({
    'bin/': { mode: 0o555, mtime: 1000, mtimeNs: 5 },
    'bin/tool': { content: big, mode: 0o4755, mtime: 2000, mtimeNs: 123_456_789 },
    'bin/alias': { type: 'hardlink', link: 'bin/tool', mtime: 2000, mtimeNs: 123_456_789, mode: 0o4755 },
    'empty/': { mode: 0o1777, mtime: 3000 },
    'a/deep/file': { content: 'deep', mtime: -5 },
    'a/none': '',
    'odd\udcff': 'bytes',
    link: { link: '../../etc/passwd', mtime: 4000 },
    pipe: { type: 'fifo', mode: 0o600 },
  });
  const root = join(temporary(t), 'new/folder');
  const result = await extractTree(tree, root);
  assert.deepEqual(result.skipped, []);
  assert.equal(result.bytes, big.length + 4 + 5);
  const back = await (await walkFolder(root, { owner: { uid: 0, gid: 0 } })).entries();
  const plain = (e: (typeof back)[number]): unknown => [
    e.path,
    e.type,
    e.mode,
    e.size,
    e.link,
    e.type === 'hardlink' ? 0 : e.mtime,
    e.mtimeNs,
  ];
  const byPath = new Map(back.map((entry) => [entry.path, plain(entry)]));
  assert.deepEqual(
    [...byPath.values()],
    [
      ['a', 'directory', 0o755, 0, undefined, 0, 0],
      ['a/deep', 'directory', 0o755, 0, undefined, 0, 0],
      ['a/deep/file', 'file', 0o644, 4, undefined, -5, 0],
      ['a/none', 'file', 0o644, 0, undefined, 0, 0],
      ['bin', 'directory', 0o555, 0, undefined, 1000, 5],
      ['bin/alias', 'file', 0o4755, big.length, undefined, 2000, 123_456_789],
      ['bin/tool', 'hardlink', 0o4755, 0, 'bin/alias', 0, 123_456_789],
      ['empty', 'directory', 0o1777, 0, undefined, 3000, 0],
      ['link', 'symlink', 0o777, 0, '../../etc/passwd', 4000, 0],
      ['odd\udcff', 'file', 0o644, 5, undefined, 0, 0],
      ['pipe', 'fifo', 0o600, 0, undefined, 0, 0],
    ],
  );
  chmodSync(join(root, 'bin'), 0o755);
});

test('nothing is written through a link, and what is in the way is replaced', async (t) => {
  const root = temporary(t);
  const outside = temporary(t);
  const target = join(root, 'out');
  mkdirSync(join(target, 'file/was/folder'), { recursive: true });
  mkdirSync(join(target, 'kept'), { mode: 0o500 });
  writeFileSync(join(target, 'other'), 'stays');
  writeFileSync(join(outside, 'victim'), 'untouched');
  symlinkSync(outside, join(target, 'folder'));
  symlinkSync(join(outside, 'victim'), join(target, 'direct'));
  symlinkSync(join(outside, 'new'), join(target, 'dangling'));
  const tree = memoryTree({
    'folder/victim': 'new',
    direct: 'new',
    dangling: 'new',
    file: 'new',
    'kept/x': 'new',
    'up/': '',
    'up/evil': { link: '../../../..' },
  });
  await extractTree(tree, target);
  assert.deepEqual(readdirSync(outside), ['victim']);
  assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'untouched');
  for (const path of ['folder/victim', 'direct', 'dangling', 'file', 'kept/x'])
    assert.equal(readFileSync(join(target, path), 'utf8'), 'new', path);
  assert.equal(lstatSync(join(target, 'direct')).isFile(), true);
  assert.equal(readFileSync(join(target, 'other'), 'utf8'), 'stays');
  assert.equal(statSync(join(target, 'kept')).mode & 0o777, 0o755);
});

test('a tree whose links lead out is laid out inside the root', async (t) => {
  const root = temporary(t);
  const target = join(root, 'out');
  const tree = await unionOf([
    memoryTree({ escape: { link: '../outside' }, abs: { link: '/abs-target' } }),
    memoryTree({ 'escape/file': 'a', 'abs/file': 'b' }),
  ]);
  await extractTree(tree, target);
  assert.equal(existsSync(join(root, 'outside')), false);
  assert.equal(readFileSync(join(target, 'outside/file'), 'utf8'), 'a');
  assert.equal(readFileSync(join(target, 'abs-target/file'), 'utf8'), 'b');
  assert.equal(readlinkSync(join(target, 'escape')), '../outside');
});

test('what cannot be written is named', async (t) => {
  const root = temporary(t);
  writeFileSync(join(root, 'file'), '');
  await assert.rejects(extractTree(memoryTree({ a: '' }), join(root, 'file')), {
    code: 'EXTRACT_FAILED',
    kind: 'failed',
  });
  const deep = memoryTree({ ['n'.repeat(300)]: '' });
  await assert.rejects(extractTree(deep, root), {
    code: 'EXTRACT_FAILED',
    message: /^write "\/.*\/n+": name too long/,
  });
});
