import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { collect } from '../base/index.ts';
import { changesBetween } from './changes.ts';
import { memoryTree, type MemoryFile } from './compose.ts';
import { viewTree } from './tree-view.ts';
import { unionOf } from './union.ts';

type Files = Readonly<Record<string, MemoryFile>>;

async function changes(lower: Files, upper: Files): Promise<string[]> {
  const tree = await changesBetween(await unionOf([memoryTree(lower)]), await unionOf([memoryTree(upper)]));
  return (await tree.entries()).map(
    (entry) => `${entry.type} ${entry.path}${entry.link === undefined ? '' : ` > ${entry.link}`}`,
  );
}

test('what is new, different or gone, with the folders that lead there', async () => {
  const lower: Files = {
    'a/': '',
    'a/same': '1',
    'a/text': '1',
    'b/': '',
    'b/c': '1',
    'd/': '',
    'd/e': '1',
    f: '1',
    g: { link: 'f' },
  };
  assert.deepEqual(await changes(lower, lower), []);
  assert.deepEqual(
    await changes(lower, {
      'a/': '',
      'a/same': '1',
      'a/text': '2',
      'b/': { mode: 0o700 },
      'b/c': '1',
      f: '1',
      'h/i': '1',
    }),
    ['directory a', 'file a/text', 'directory b', 'whiteout d', 'whiteout g', 'directory h', 'file h/i'],
  );
});

test('times count for files, not for folders; without nanoseconds contents decide', async () => {
  const at = (mtime: number, mtimeNs = 0, content = 'x'): MemoryFile => ({ content, mtime, mtimeNs });
  assert.deepEqual(await changes({ 'a/': { mtime: 1 }, 'a/b': at(1) }, { 'a/': { mtime: 2 }, 'a/b': at(1) }), []);
  assert.deepEqual(await changes({ b: at(1) }, { b: at(2) }), ['file b']);
  assert.deepEqual(await changes({ b: at(1, 5) }, { b: at(1, 6) }), ['file b']);
  assert.deepEqual(await changes({ b: at(1, 5) }, { b: at(1, 0) }), []);
  assert.deepEqual(await changes({ b: at(1, 0) }, { b: at(1, 0, 'y') }), ['file b']);
});

test('something of another type takes the place without a whiteout', async () => {
  const folder: Files = { 'a/': '', 'a/b': '1' };
  assert.deepEqual(await changes(folder, { a: 'file' }), ['file a']);
  assert.deepEqual(await changes({ a: 'file' }, folder), ['directory a', 'file a/b']);
  assert.deepEqual(await changes(folder, { 'a/': '', 'a/c': '1' }), ['directory a', 'whiteout a/b', 'file a/c']);
});

test('a new name of an old file brings the file along', async () => {
  const lower: Files = { m: 'data', z: '' };
  assert.deepEqual(await changes(lower, { m: 'data', 'a/b': { type: 'hardlink', link: 'm' }, z: '' }), [
    'directory a',
    'file a/b',
    'hardlink m > a/b',
  ]);
});

test('a union of the lower tree and the changes is the upper one', async () => {
  const name = fc.constantFrom('a', 'b', 'c', 'a.b');
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  const file = fc.constantFrom<MemoryFile>(
    '1',
    '2',
    { type: 'directory', mode: 0o700 },
    { link: 'x' },
    { content: '1', mode: 0o755 },
  );
  const tree = fc.uniqueArray(fc.tuple(path, file), { maxLength: 10, selector: ([p]) => p }).map((entries) => {
    const isFolder = (f: MemoryFile): boolean => typeof f === 'object' && 'type' in f;
    return Object.fromEntries(
      entries.filter(([p]) => !entries.some(([q, f]) => p.startsWith(`${q}/`) && !isFolder(f))),
    );
  });
  const flat = async (files: readonly Parameters<typeof unionOf>[0][number][]): Promise<unknown[]> => {
    const view = viewTree(await unionOf(files));
    const entries = await view.entries();
    return [entries, Buffer.from(await collect(view.read(entries.filter((e) => e.type === 'file')))).toString()];
  };
  await fc.assert(
    fc.asyncProperty(tree, tree, async (a, b) => {
      const [lower, upper] = [memoryTree(a), memoryTree(b)];
      const diff = await changesBetween(await unionOf([lower]), await unionOf([upper]));
      assert.deepEqual(await flat([lower, diff]), await flat([upper]));
    }),
    { numRuns: 300 },
  );
});
