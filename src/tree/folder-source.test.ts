import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { collect, sys } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import type { Entry } from './entry.ts';
import type { FileFilter } from './file-tree.ts';
import { folderSource } from './folder-source.ts';
import { encodePath } from './path-text.ts';
import { walkFolder } from './walk-folder.ts';

function folder(t: TestContext, files: Readonly<Record<string, string>> = {}): string {
  const root = mkdtempSync(join(tmpdir(), 'strake-folder-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    if (path.endsWith('/')) mkdirSync(join(root, path), { recursive: true });
    else writeFileSync(join(root, path), content);
  }
  return root;
}

async function entriesOf(root: string, filter: FileFilter = {}): Promise<readonly Entry[]> {
  return (await folderSource(root).tree(filter)).entries();
}

async function pathsOf(root: string, filter: FileFilter = {}): Promise<string[]> {
  return (await entriesOf(root, filter)).map((entry) => entry.path);
}

test('a folder is given in canonical order, as 0:0', async (t) => {
  const root = folder(t, { 'a/b': '1', 'a-b': '2', 'a.b': '3', 'a/ä/x': '4', B: '5' });
  const entries = await entriesOf(root);
  assert.deepEqual(
    entries.map((entry) => `${entry.type} ${entry.path} ${entry.uid}:${entry.gid} ${entry.size}`),
    [
      'file B 0:0 1',
      'directory a 0:0 0',
      'file a/b 0:0 1',
      'directory a/ä 0:0 0',
      'file a/ä/x 0:0 1',
      'file a-b 0:0 1',
      'file a.b 0:0 1',
    ],
  );
});

test('metadata are kept: modes, times to the nanosecond, links, names of any bytes', async (t) => {
  const root = folder(t, { file: 'content', 'dir/': '' });
  chmodSync(join(root, 'file'), 0o4711);
  chmodSync(join(root, 'dir'), 0o1777);
  sys.utimes(join(root, 'file'), 0n, -1_500_000_001n);
  linkSync(join(root, 'file'), join(root, 'hard'));
  symlinkSync('../else/where', join(root, 'dir/soft'));
  writeFileSync(Buffer.concat([Buffer.from(`${root}/dir/`), Buffer.of(0x66, 0xff)]), 'odd');
  sys.utimes(join(root, 'dir'), 0n, 1_700_000_000_123_456_789n);
  const byPath = new Map((await entriesOf(root)).map((entry) => [entry.path, entry]));
  assert.deepEqual([...byPath.keys()], ['dir', 'dir/f\udcff', 'dir/soft', 'file', 'hard']);
  const { file, dir } = Object.fromEntries(byPath);
  assert.deepEqual([file?.mode, file?.mtime, file?.mtimeNs], [0o4711, -2, 499_999_999]);
  assert.deepEqual([dir?.mode, dir?.mtime, dir?.mtimeNs], [0o1777, 1_700_000_000, 123_456_789]);
  assert.deepEqual([byPath.get('hard')?.type, byPath.get('hard')?.link], ['hardlink', 'file']);
  assert.deepEqual([byPath.get('dir/soft')?.link, byPath.get('dir/soft')?.mode], ['../else/where', 0o777]);
  const tree = await folderSource(root).tree({});
  const odd = byPath.get('dir/f\udcff')!;
  assert.equal(encodePath(odd.path).at(-1), 0xff);
  assert.equal(Buffer.from(await collect(tree.read([odd]))).toString(), 'odd');
});

test('user attributes are kept, sockets are not, fifos are', async (t) => {
  const root = folder(t, { file: 'x' });
  let xattrs = true;
  try {
    sys.setXattr(join(root, 'file'), 'user.note', Buffer.from('hi'));
    sys.setXattr(join(root, 'file'), 'user.overlay.opaque', Buffer.from('y'));
  } catch {
    xattrs = false;
  }
  const server = createServer().listen(join(root, 'socket'));
  t.after(() => server.close());
  execFileSync('mkfifo', [join(root, 'fifo')]);
  const entries = await entriesOf(root);
  assert.deepEqual(
    entries.map((entry) => `${entry.type} ${entry.path}`),
    ['fifo fifo', 'file file'],
  );
  if (!xattrs) return t.diagnostic('no user attributes on this file system');
  assert.deepEqual([...(entries[1]?.xattrs ?? [])], [['user.note', Buffer.from('hi')]]);
});

test('include selects paths and the folders that lead there, exclude wins', async (t) => {
  const root = folder(t, { 'a/b/c/d': '', 'a/b/e': '', 'a/f': '', 'g/h': '', 'i/': '', j: '' });
  const cases: [FileFilter, string[]][] = [
    [{ include: ['a/b/c'] }, ['a', 'a/b', 'a/b/c', 'a/b/c/d']],
    [{ include: ['/a/f', 'j'] }, ['a', 'a/f', 'j']],
    [{ include: ['**/e', 'i'] }, ['a', 'a/b', 'a/b/e', 'i']],
    [{ include: ['nothing'] }, []],
    [{ exclude: ['a', 'i'] }, ['g', 'g/h', 'j']],
    [{ exclude: ['a', '!a/b/e'] }, ['a', 'a/b', 'a/b/e', 'g', 'g/h', 'i', 'j']],
    [{ exclude: ['*', '!g'] }, ['g', 'g/h']],
    [{ exclude: ['**', '!**/d'] }, ['a', 'a/b', 'a/b/c', 'a/b/c/d']],
    [{ include: ['a'], exclude: ['a/b'] }, ['a', 'a/f']],
    [{ include: ['a/b'], exclude: ['a', '!a/b/c'] }, ['a', 'a/b', 'a/b/c', 'a/b/c/d']],
    [{ include: ['a/*/c', '!a/b/c/d'] }, ['a', 'a/b', 'a/b/c']],
    [{ include: [] }, ['a', 'a/b', 'a/b/c', 'a/b/c/d', 'a/b/e', 'a/f', 'g', 'g/h', 'i', 'j']],
  ];
  for (const [filter, paths] of cases) assert.deepEqual(await pathsOf(root, filter), paths, JSON.stringify(filter));
  await assert.rejects(pathsOf(root, { exclude: ['a['] }), { code: 'PATTERN_INVALID' });
});

test('a hard link whose first name is left out becomes the file', async (t) => {
  const root = folder(t, { a: 'same', 'b/': '' });
  linkSync(join(root, 'a'), join(root, 'b/one'));
  linkSync(join(root, 'a'), join(root, 'b/two'));
  const entries = await entriesOf(root, { exclude: ['a'] });
  assert.deepEqual(
    entries.map((entry) => [entry.path, entry.type, entry.link]),
    [
      ['b', 'directory', undefined],
      ['b/one', 'file', undefined],
      ['b/two', 'hardlink', 'b/one'],
    ],
  );
});

test('follow includes links, at every step, and what they lead to', async (t) => {
  const root = folder(t, { 'real/deep/file': '', 'real/other': '', unrelated: '', 'data/x.txt': '' });
  symlinkSync('real', join(root, 'link'));
  symlinkSync('/real/deep', join(root, 'real/abs'));
  symlinkSync('../../../data/x.txt', join(root, 'real/up'));
  symlinkSync('loop', join(root, 'loop'));
  symlinkSync('gone', join(root, 'dangling'));
  const follow = async (...paths: string[]): Promise<string[]> => pathsOf(root, { follow: paths });
  assert.deepEqual(await follow('link/abs/file'), ['link', 'real', 'real/abs', 'real/deep', 'real/deep/file']);
  assert.deepEqual(await follow('/real/up'), ['data', 'data/x.txt', 'real', 'real/up']);
  assert.deepEqual(await follow('real/u*'), ['data', 'data/x.txt', 'real', 'real/up']);
  assert.deepEqual(await follow('loop'), ['loop']);
  assert.deepEqual(await follow('dangling'), ['dangling']);
  assert.deepEqual(await follow('real', 'real/other'), await pathsOf(root, { include: ['real'] }));
  assert.deepEqual(await follow('link/..'), await pathsOf(root));
  assert.deepEqual(await follow('missing'), []);
});

test('contents come back to back, whatever their sizes', async (t) => {
  const big = 'x'.repeat((1 << 20) + 17);
  const contents: Record<string, string> = { a: '1', b: '', c: big, d: '2', e: big + big };
  const root = folder(t, contents);
  const tree = await folderSource(root).tree({});
  const files = await tree.entries();
  const expected = files.map((file) => contents[file.path]).join('');
  assert.equal(Buffer.from(await collect(tree.read(files))).toString(), expected);
  assert.deepEqual(
    await tree.digests(files),
    files.map((file) => digestOf(contents[file.path]!)),
  );
  assert.equal((await collect(tree.read([]))).length, 0);
  // Entries that are equal but not the tree's own serve as well.
  assert.deepEqual(await tree.digests([{ ...files[0]! }]), [digestOf('1')]);
});

test('a file that changed since the walk is not taken for what it was', async (t) => {
  const root = folder(t, { 'same-size': 'aaaa', longer: 'a', shorter: 'aaaa', gone: 'a', fifo: 'a' });
  const tree = await folderSource(root).tree({});
  const files = await tree.entries();
  writeFileSync(join(root, 'same-size'), 'bbbb');
  utimesSync(join(root, 'same-size'), 1, 1);
  writeFileSync(join(root, 'longer'), 'ab');
  writeFileSync(join(root, 'shorter'), '');
  unlinkSync(join(root, 'gone'));
  unlinkSync(join(root, 'fifo'));
  execFileSync('mkfifo', [join(root, 'fifo')]);
  for (const file of files) {
    await assert.rejects(collect(tree.read([file])), { code: 'FILE_CHANGED', kind: 'conflict' }, file.path);
    await assert.rejects(tree.digests([file]), { code: 'FILE_CHANGED' }, file.path);
  }
  assert.equal(Reflect.get(tree, 'locate'), undefined, 'a reader of its own would not notice');
});

test('a folder that is no folder is named', async (t) => {
  const root = folder(t, { file: '' });
  await assert.rejects(pathsOf(join(root, 'missing')), { code: 'PATH_NOT_FOUND', kind: 'not_found' });
  await assert.rejects(pathsOf(join(root, 'file')), { code: 'NOT_A_FOLDER' });
  symlinkSync(root, join(root, 'self'));
  assert.deepEqual(await pathsOf(join(root, 'self')), ['file', 'self'], 'the folder itself may be a link');
});

test('a walk keeps what a snapshot needs, and can give the root and places on disk', async (t) => {
  const root = folder(t, { 'dir/file': 'content' });
  const tree = await walkFolder(root, { root: true, stable: true });
  const entries = await tree.entries();
  const own = statSync(root);
  assert.deepEqual(
    entries.map((entry) => [entry.path, entry.uid, entry.gid]),
    [
      ['', own.uid, own.gid],
      ['dir', own.uid, own.gid],
      ['dir/file', own.uid, own.gid],
    ],
  );
  assert.deepEqual(tree.locate?.(entries[2]!), { path: join(root, 'dir/file'), offset: 0, length: 7 });
});

test('a walk can be cancelled', async (t) => {
  const root = folder(t, { file: 'x' });
  const tree = await folderSource(root).tree({});
  await assert.rejects(tree.entries({ signal: AbortSignal.abort() }), { code: 'CANCELLED' });
});
