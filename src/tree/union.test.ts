import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { collect } from '../base/index.ts';
import { digestOf } from '../blob/index.ts';
import { comparePaths } from './compare-entries.ts';
import { composeTree, emptyTree, memoryTree, type MemoryFile } from './compose.ts';
import { viewTree, type TreeView } from './tree-view.ts';
import { unionOf } from './union.ts';

type Files = Readonly<Record<string, MemoryFile>>;
const view = async (...trees: Files[]): Promise<TreeView> => unionOf(trees.map((files) => memoryTree(files)));
const paths = (v: TreeView, at = ''): string[] => [...v.walk(at)].map((node) => node.path);
const text = async (v: TreeView, path: string): Promise<string> => Buffer.from(await v.readFile(path)).toString();
const whiteout: MemoryFile = { type: 'whiteout' };
const opaque: MemoryFile = { type: 'opaque' };

test('later trees cover earlier ones; whiteouts and opaque folders hide what is below', async () => {
  const v = await view(
    { 'a/': '', 'a/x': '1', 'a/y': '1', 'b/': '', 'b/x': '1', 'b/c/': '', 'b/c/d': '1', e: '1', 'g/': '', 'g/h': '1' },
    { 'a/': { mode: 0o700 }, 'a/x': '2', 'a/z': '2', b: opaque, 'b/new': '2', e: whiteout, g: 'file now' },
    { 'a/y': whiteout, 'e/': '', 'e/f': '3', 'never-there': whiteout },
  );
  assert.deepEqual(paths(v), ['', 'a', 'a/x', 'a/z', 'b', 'b/new', 'e', 'e/f', 'g']);
  assert.equal(await text(v, 'a/x'), '2');
  assert.equal(v.stat('a')?.entry.mode, 0o700);
  assert.equal(await text(v, 'g'), 'file now');
  assert.equal(v.lstat('b/c/d'), undefined);
});

test('a whiteout is about lower trees only, also beside an entry of its own path', async () => {
  const lower = memoryTree({ 'a/': '', 'a/x': '1' });
  const upper = composeTree([
    ...(await memoryTree({ a: whiteout }).entries()).map((entry) => ({ entry })),
    ...(await memoryTree({ 'a/': '' }).entries()).map((entry) => ({ entry })),
  ]);
  assert.deepEqual(paths(await unionOf([lower, upper])), ['', 'a']);
});

test('folders that are only implied are made, and keep what lower trees say of them', async () => {
  const v = await view({ 'a/': { mode: 0o711, uid: 5 }, 'deep/er/file': '1' }, { 'a/b/c': '2' });
  assert.deepEqual(paths(v), ['', 'a', 'a/b', 'a/b/c', 'deep', 'deep/er', 'deep/er/file']);
  assert.deepEqual([v.stat('a')?.entry.mode, v.stat('a')?.entry.uid], [0o711, 5]);
  assert.deepEqual([v.stat('a/b')?.entry.mode, v.stat('a/b')?.entry.type], [0o755, 'directory']);
  assert.equal(v.stat('deep')?.from, undefined);
});

test('links are followed inside the root', async () => {
  const v = await view({
    'usr/lib/': '',
    'usr/lib/x': 'x',
    lib: { link: 'usr/lib' },
    'usr/abs': { link: '/lib/x' },
    'usr/up': { link: '../../../../usr/lib' },
    loop: { link: 'loop2' },
    loop2: { link: '/loop' },
    dangling: { link: 'gone/far' },
    file: 'f',
  });
  assert.equal(v.resolve('/lib/x'), 'usr/lib/x');
  assert.equal(v.resolve('usr/abs'), 'usr/lib/x');
  assert.equal(v.resolve('/usr/up/../lib/./x'), 'usr/lib/x');
  assert.equal(v.resolve('../../lib'), 'usr/lib');
  assert.equal(v.resolve('/'), '');
  assert.equal(v.lstat('lib')?.entry.type, 'symlink');
  assert.equal(v.lstat('lib/')?.entry.type, 'directory');
  assert.equal(v.stat('lib')?.path, 'usr/lib');
  assert.equal(v.stat('dangling'), undefined);
  assert.equal(v.stat('missing/../file'), undefined);
  assert.equal(v.stat('file/'), undefined);
  assert.equal(v.stat('file/..'), undefined);
  assert.equal(v.stat('file/x'), undefined);
  assert.throws(() => v.stat('loop/x'), { code: 'LINK_LOOP', kind: 'invalid' });
  assert.equal(v.lstat('loop')?.entry.type, 'symlink');
  assert.equal(v.resolveParent('lib/new/deep'), 'usr/lib/new/deep');
  assert.equal(v.resolveParent('lib'), 'lib');
  assert.equal(v.resolveParent('dangling/x'), 'gone/far/x');
  assert.equal(await text(v, '/usr/up/x'), 'x');
  assert.deepEqual(
    v.list('lib').map((node) => node.path),
    ['usr/lib/x'],
  );
  assert.deepEqual(paths(v, 'lib'), ['usr/lib', 'usr/lib/x']);
});

test('what lies below a link of a lower tree is placed through it', async () => {
  const base = { 'usr/lib/': { mode: 0o755 }, 'usr/lib/old': '1', lib: { link: 'usr/lib' } };
  const implied = await view(base, { 'lib/new': '2', 'lib/sub/': '', 'lib/sub/deep': '2', 'lib/old': whiteout });
  assert.deepEqual(paths(implied), ['', 'lib', 'usr', 'usr/lib', 'usr/lib/new', 'usr/lib/sub', 'usr/lib/sub/deep']);
  assert.equal(await text(implied, 'usr/lib/new'), '2');
  assert.equal(await text(implied, 'lib/sub/deep'), '2');
  const stated = await view(base, { 'lib/': '', 'lib/new': '2' });
  assert.deepEqual(paths(stated), ['', 'lib', 'lib/new', 'usr', 'usr/lib', 'usr/lib/old']);
  const inOne = await view({ ...base, 'lib/same': '1' });
  assert.deepEqual(paths(inOne), ['', 'lib', 'usr', 'usr/lib', 'usr/lib/old', 'usr/lib/same']);
  const replaced = await view(base, { lib: whiteout, 'lib/new': '2' });
  assert.deepEqual(paths(replaced), ['', 'lib', 'lib/new', 'usr', 'usr/lib', 'usr/lib/old']);
  const linked = await view(base, { 'lib/one': '1', 'lib/two': { type: 'hardlink', link: 'lib/one' } });
  assert.equal(linked.stat('usr/lib/one')?.inode, linked.stat('usr/lib/two')?.inode);
});

test('hard links are the file, and stay one file across the union', async () => {
  const base: Files = {
    a: { content: 'data', mode: 0o600 },
    b: { type: 'hardlink', link: 'a' },
    c: { type: 'hardlink', link: 'b' },
  };
  const v = await view(base, { 'd/': '', 'd/e': { type: 'hardlink', link: 'c' } });
  assert.equal(await text(v, 'd/e'), 'data');
  assert.deepEqual([v.stat('b')?.entry.type, v.stat('b')?.entry.mode, v.stat('b')?.entry.size], ['file', 0o600, 4]);
  assert.equal(new Set(['a', 'b', 'c', 'd/e'].map((path) => v.stat(path)?.inode)).size, 1);
  const changed = await view(base, { a: 'other' });
  assert.equal(await text(changed, 'b'), 'data');
  assert.notEqual(changed.stat('a')?.inode, changed.stat('b')?.inode);
  const broken = await view({ a: { type: 'hardlink', link: 'gone' } });
  assert.throws(() => broken.stat('a'), { code: 'LAYER_CORRUPT' });
  const self = await view({ a: { type: 'hardlink', link: 'a' } });
  assert.throws(() => self.stat('a'), { code: 'LAYER_CORRUPT' });
});

test('a flattened view has each file once', async () => {
  const v = await view(
    { '': { type: 'directory', mode: 0o711 }, a: 'data', b: { type: 'hardlink', link: 'a' }, 'z/': '' },
    { a: whiteout, c: { type: 'hardlink', link: 'b' }, 'z/y': 'new' },
  );
  const flat = viewTree(v);
  const entries = await flat.entries();
  assert.deepEqual(
    entries.map((entry) => [entry.path, entry.type, entry.link]),
    [
      ['', 'directory', undefined],
      ['b', 'file', undefined],
      ['c', 'hardlink', 'b'],
      ['z', 'directory', undefined],
      ['z/y', 'file', undefined],
    ],
  );
  const files = entries.filter((entry) => entry.type === 'file');
  assert.equal(Buffer.from(await collect(flat.read(files))).toString(), 'datanew');
  assert.deepEqual(await flat.digests(files), [digestOf('data'), digestOf('new')]);
});

test('what is no file or no folder is named', async () => {
  const v = await view({ 'dir/': '', file: 'x'.repeat(100) });
  assert.throws(() => v.list('file'), { code: 'NOT_A_FOLDER' });
  assert.throws(() => v.list('gone'), { code: 'PATH_NOT_FOUND', message: 'list "gone": not found' });
  assert.throws(() => v.open('dir'), { code: 'NOT_A_FILE' });
  await assert.rejects(v.readFile('/gone'), { code: 'PATH_NOT_FOUND' });
  await assert.rejects(v.readFile('file', { limit: 99 }), { code: 'TOO_MANY_BYTES' });
  assert.deepEqual([...v.walk('gone')], []);
  assert.deepEqual(paths(await unionOf([])), ['']);
  assert.deepEqual(await emptyTree.entries(), []);
});

test('an opaque root hides all, and the last root entry counts', async () => {
  const hidden = composeTree([
    ...(await memoryTree({ '': opaque }).entries()).map((entry) => ({ entry })),
    ...(await memoryTree({ '': { type: 'directory', mode: 0o700 }, b: '2' }).entries()).map((entry) => ({ entry })),
  ]);
  const v = await unionOf([memoryTree({ a: '1', 'c/d': '1' }), hidden]);
  assert.deepEqual(paths(v), ['', 'b']);
  assert.equal(v.stat('/')?.entry.mode, 0o700);
});

/** What unpacking one layer after the other gives, done plainly. */
function unpacked(layers: readonly (readonly [string, MemoryFile])[][]): string[] {
  const root = new Map<string, string>();
  const removeBelow = (path: string): void => {
    for (const key of root.keys()) if (key.startsWith(`${path}/`)) root.delete(key);
  };
  for (const layer of layers) {
    for (const [path, file] of layer)
      if (file === whiteout) {
        root.delete(path);
        removeBelow(path);
      } else if (file === opaque) removeBelow(path);
    // What a layer has comes before the folders of what it takes away.
    for (const [path, file] of layer.toSorted(([, a], [, b]) => Number(a === whiteout) - Number(b === whiteout))) {
      // Unpackers make the folder of a whiteout too (containerd's applyNaive), where nothing else is in its place.
      if (
        file === whiteout &&
        path.split('/').some((_, at, all) => (root.get(all.slice(0, at).join('/')) ?? '/') !== '/')
      )
        continue;
      const parts = file === whiteout ? [...path.split('/').slice(0, -1), ''] : path.split('/');
      for (let i = 1; i <= parts.length; i++) {
        const at = parts.slice(0, i).join('/');
        if (at.endsWith('/') || at === '') continue;
        const folder = i < parts.length || file === opaque || file === '/';
        if (!folder) removeBelow(at);
        if (!folder || root.get(at) !== '/') root.set(at, folder ? '/' : (file as string));
      }
    }
  }
  return [...root].sort(([a], [b]) => comparePaths(a, b)).map(([path, file]) => `${path} ${file}`);
}

test('a union is what unpacking gives', async () => {
  const name = fc.constantFrom('a', 'b', 'a-b', 'c', 'ä');
  const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
  const file = fc.constantFrom<MemoryFile>('1', '2', '/', '/', whiteout, opaque);
  const layer = fc.uniqueArray(fc.tuple(path, file), { maxLength: 12, selector: ([p]) => p }).map((entries) =>
    // A layer of the real world has nothing below what is not a folder in it.
    entries.filter(([p]) => !entries.some(([q, f]) => p.startsWith(`${q}/`) && f !== '/' && f !== opaque)),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(layer, { minLength: 1, maxLength: 4 }), async (layers) => {
      const trees = layers.map((entries) =>
        memoryTree(
          Object.fromEntries(entries.map(([p, f]) => [p, f === '/' ? { type: 'directory' as const } : f] as const)),
        ),
      );
      const v = await unionOf(trees);
      const seen: string[] = [];
      for (const node of v.walk('')) {
        if (node.path === '') continue;
        const folder = node.entry.type === 'directory';
        seen.push(`${node.path} ${folder ? '/' : await text(v, node.path)}`);
        assert.equal(v.lstat(node.path)?.path, node.path);
      }
      assert.deepEqual(seen, unpacked(layers));
    }),
    { numRuns: 500 },
  );
});
