import * as fc from 'fast-check';
import { bytesOf, type Bytes } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import { compareEntries } from './compare-entries.ts';
import type { Entry } from './entry.ts';
import type { FileTree } from './file-tree.ts';
import { decodePath } from './path-text.ts';

/** A tree in memory, contents by path; `order` is the order in which entries are given. */
export function treeOf(entries: readonly Entry[], contents: ReadonlyMap<string, Uint8Array>): FileTree {
  return {
    entries: async () => entries,
    async *read(files): Bytes {
      for (const { path } of files) yield* bytesOf(contents.get(path) ?? new Uint8Array(0));
    },
    digests: async (files) => files.map(({ path }): Digest => digestOf(contents.get(path) ?? new Uint8Array(0))),
  };
}

export interface RandomTree {
  /** In canonical order. */
  readonly entries: readonly Entry[];
  readonly contents: ReadonlyMap<string, Uint8Array>;
}

const name = fc.oneof(
  { weight: 6, arbitrary: fc.stringMatching(/^[a-c.-]{1,3}$/).filter((text) => text !== '.' && text !== '..') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('é', '日本', '😀', '\uffee', 'n'.repeat(120), 'x y', 'quote"', 'line\nbreak'),
  },
  {
    weight: 1,
    arbitrary: fc
      .uint8Array({ minLength: 1, maxLength: 3 })
      .map((bytes) => decodePath(bytes.map((x) => (x === 0 || x === 0x2f || x === 0x2e ? 0xff : x)))),
  },
);

/** Numbers around what tar's fields can hold. */
const owner = fc.oneof(fc.constantFrom(0, 1000, 2097151, 2097152, 4294967294), fc.nat(70000));
const time = fc.oneof(fc.constantFrom(0, -1, 2 ** 33 - 1, 2 ** 33, 1_700_000_000), fc.nat());

const leaf = fc.record({
  kind: fc.constantFrom('file', 'file', 'file', 'symlink', 'hardlink', 'fifo', 'character', 'whiteout') as fc.Arbitrary<
    Entry['type']
  >,
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: owner,
  gid: owner,
  mtime: time,
  mtimeNs: fc.constantFrom(0, 0, 999_999_999),
  content: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(511, 512, 513, 70_000).map((n) => new Uint8Array(n).fill(n & 0xff)),
  ),
  link: fc.oneof(name, fc.constantFrom('/abs', '../up', 'l'.repeat(101))),
  pick: fc.nat(),
  xattr: fc.option(fc.uint8Array({ maxLength: 8 }), { freq: 6 }),
});

/** Trees with everything that layers have: links between them, owners and times at the edges, names of any bytes; without `types`' others. */
export function randomTrees(
  types: readonly Entry['type'][] = ['file', 'symlink', 'hardlink', 'fifo', 'character', 'whiteout'],
): fc.Arbitrary<RandomTree> {
  return fc.array(fc.tuple(fc.array(name, { minLength: 1, maxLength: 4 }), leaf), { maxLength: 25 }).map((items) => {
    const entries = new Map<string, Entry>();
    const contents = new Map<string, Uint8Array>();
    for (const [parts, l] of items) {
      const { mode, uid, gid, mtime, mtimeNs } = l;
      const common = { mode, uid, gid, mtime, mtimeNs, ...(l.xattr ? { xattrs: new Map([['user.x', l.xattr]]) } : {}) };
      const folders = parts.slice(0, -1).map((_, i) => parts.slice(0, i + 1).join('/'));
      const path = parts.join('/');
      if (entries.has(path) || folders.some((folder) => (entries.get(folder)?.type ?? 'directory') !== 'directory'))
        continue;
      for (const folder of folders)
        if (!entries.has(folder)) entries.set(folder, { path: folder, type: 'directory', size: 0, ...common });
      const files = [...entries.values()].filter((entry) => entry.type === 'file');
      const type = !types.includes(l.kind) || (l.kind === 'hardlink' && files.length === 0) ? 'file' : l.kind;
      if (type === 'file') contents.set(path, l.content);
      if (type === 'hardlink') {
        const target = files[l.pick % files.length]!;
        entries.set(path, { ...target, path, type, size: 0, link: target.path });
      } else if (type === 'whiteout')
        entries.set(path, { path, type, mode: 0, uid: 0, gid: 0, size: 0, mtime, mtimeNs });
      else
        entries.set(path, {
          path,
          type,
          size: type === 'file' ? l.content.length : 0,
          ...common,
          ...(type === 'symlink' ? { link: l.link } : {}),
          ...(type === 'character' ? { device: { major: 5, minor: l.pick % 2000 } } : {}),
        });
    }
    return { entries: [...entries.values()].sort(compareEntries), contents };
  });
}
