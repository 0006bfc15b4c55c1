import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { collect } from '../base/index.ts';
import { compareTrees, describeEntry, type EntryField, type TreeDifference } from './compare-trees.ts';
import { memoryTree, type MemoryFile } from './compose.ts';
import type { FileTree } from './file-tree.ts';

async function differences(
  a: Readonly<Record<string, MemoryFile>>,
  b: Readonly<Record<string, MemoryFile>>,
  ignore: readonly EntryField[] = [],
): Promise<readonly TreeDifference[]> {
  return Array.fromAsync(compareTrees(memoryTree(a), memoryTree(b), { ignore: new Set(ignore) }));
}

test('every field that can differ is told, with both values', async () => {
  const xattrs = new Map([['user.a', Buffer.from('1')]]);
  const found = await differences(
    {
      content: 'one',
      device: { type: 'character', device: { major: 1, minor: 3 } },
      gone: 'x',
      link: { link: 'a' },
      meta: { content: '', mode: 0o4755, uid: 1, mtime: 981_173_106, mtimeNs: 500_000_000 },
      size: 'one',
      turned: 'x',
      xattr: { content: 'x', xattrs },
    },
    {
      content: 'two',
      device: { type: 'character', device: { major: 1, minor: 5 } },
      link: { link: 'b' },
      meta: { content: '', mode: 0o644, gid: 2, mtime: 981_173_106 },
      'new/': '',
      size: 'three',
      'turned/': '',
      xattr: 'x',
    },
  );
  assert.deepEqual(
    found.map((one) =>
      one.kind === 'changed'
        ? `${one.path}: ${one.fields.map(({ field, a, b }) => (field === 'content' && a.startsWith('sha256:') ? field : `${field} ${a} ${b}`)).join('; ')}`
        : `${one.kind} ${one.path}: ${describeEntry(one.entry)}`,
    ),
    [
      'content: content',
      'device: device 1:3 1:5',
      'only-a gone: file 0644 0:0, 1 bytes',
      'link: target "a" "b"',
      'meta: mode 4755 0644; owner 1:0 0:2; time 2001-02-03T04:05:06.5Z 2001-02-03T04:05:06Z',
      'only-b new: directory 0755 0:0',
      'size: content 3 bytes 5 bytes',
      'turned: type file directory; mode 0644 0755',
      'xattr: xattrs user.a=0x31 ',
    ],
  );
});

test('which names are one file is compared, and may be ignored; then contents are found through the link', async () => {
  const linked = { a: 'same', b: { type: 'hardlink', link: 'a' } } as const;
  const [only, ...more] = await differences(linked, { a: 'same', b: 'same' });
  assert.deepEqual(more, []);
  assert.deepEqual(only, {
    kind: 'changed',
    path: 'b',
    fields: [{ field: 'links', a: 'the same file as "a"', b: 'a file of its own' }],
  });
  assert.deepEqual(await differences(linked, { a: 'same', b: 'same' }, ['links']), []);
  const [other] = await differences(linked, { a: 'same', b: 'else' }, ['links']);
  assert.equal(other?.path, 'b');
});

test('ignored fields may differ', async () => {
  const a = { f: { content: 'x', mode: 0o600, uid: 1, mtime: 5 } };
  assert.deepEqual(await differences(a, { f: 'y' }, ['mode', 'owner', 'time', 'content']), []);
});

test('layers are compared with their whiteouts', async () => {
  const found = await differences(
    { 'd/': '', 'd/w': { type: 'whiteout' }, 'o/': '' },
    { 'd/': '', o: { type: 'opaque' }, 'o/': '' },
  );
  assert.deepEqual(
    found.map(({ kind, path }) => `${kind} ${path}`),
    ['only-a d/w', 'only-b o'],
  );
});

test('the same entries are not read; only equal sizes are digested, many at once', async () => {
  const record = Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`f${i}`, `${i % 7}`]));
  const counted = (tree: FileTree): FileTree & { asked: number[] } => {
    const asked: number[] = [];
    return {
      asked,
      entries: (w) => tree.entries(w),
      read: (files, w) => tree.read(files, w),
      digests: (files, w) => {
        asked.push(files.length);
        return tree.digests(files, w);
      },
    };
  };
  const tree = memoryTree(record);
  const [left, right] = [counted(tree), counted(tree)];
  assert.deepEqual(await Array.fromAsync(compareTrees(left, right)), []);
  assert.deepEqual(left.asked, []);
  const other = counted(memoryTree({ ...record, f3: '9', f4: 'longer' }));
  const found = await Array.fromAsync(compareTrees(left, other));
  assert.deepEqual(found.map(({ path }) => path).sort(), ['f3', 'f4']);
  assert.equal(
    left.asked.reduce((sum, n) => sum + n, 0),
    1999,
  );
  assert.ok(left.asked.length <= 4);
  assert.equal((await collect(left.read([(await left.entries())[0]!]))).length, 1);
});

test('a tree differs from a changed copy of it at the changed paths only', async () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[a-c]{1,3}(\/[a-c]{1,2})?$/), { minLength: 1, maxLength: 12 });
  await fc.assert(
    fc.asyncProperty(names, fc.infiniteStream(fc.constantFrom('keep', 'edit', 'drop', 'chmod')), async (all, acts) => {
      const a: Record<string, MemoryFile> = {};
      const b: Record<string, MemoryFile> = {};
      const expected: string[] = [];
      for (const name of all) {
        const act = acts.next().value;
        a[name] = 'text';
        if (act === 'keep') b[name] = 'text';
        if (act === 'edit') b[name] = 'TEXT';
        if (act === 'chmod') b[name] = { content: 'text', mode: 0o600 };
        if (act !== 'keep') expected.push(name);
      }
      const found = await differences(a, b);
      assert.deepEqual(found.map(({ path }) => path).sort(), expected.sort());
      assert.deepEqual((await differences(b, a)).map(({ path }) => path).sort(), expected);
    }),
    { numRuns: 60 },
  );
});
