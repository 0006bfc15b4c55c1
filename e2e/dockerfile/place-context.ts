import { execFileSync } from 'node:child_process';
import { chmodSync, linkSync, lutimesSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { sys } from '../../src/base/index.ts';
import type { Case } from './case-file.ts';

/** What cases have as their context when they do not say otherwise. */
const STANDARD = `
a.txt alpha
b.txt 0600 beta
c.md 0640 @1100000000 gamma
run.sh 0755 "#!/bin/sh\\necho ran\\n"
dir/ 0750
dir/one.txt one
dir/two.log two
dir/sub/three.txt three
dir/sub/deep/four.log four
dir/link -> one.txt
dir/hard.txt = dir/one.txt
empty/
link-to-file -> a.txt
link-to-dir -> dir
`;

/** Time of everything in a context that has no other. */
const TIME = 1_300_000_000;

/**
 * Makes a context of lines of `PATH [MODE] [@TIME] [-> TARGET | = OTHER NAME | fifo | tar[.gz|.bz2|.xz|.zst] of FOLDER | xattr NAME=VALUE | TEXT]`; a path that ends in "/" is a folder, a text in quotes is JSON. A file of no text has its
 * path as content.
 */
export function placeContext(folder: string, { tree, adds, files }: Pick<Case, 'tree' | 'adds' | 'files'>): void {
  const text = tree === undefined ? STANDARD : adds ? STANDARD + tree : tree;
  mkdirSync(folder, { recursive: true });
  const folders = new Map<string, { mode: number; time: number }>();
  let times: [string, number][] = [];
  for (const line of text.split('\n').filter((line) => line !== '')) {
    const [, quoted, path = '', rest = ''] = /^("(?:[^"\\]|\\.)*"|(\S+))\s*(.*)$/.exec(line) ?? [];
    const name = path === '' ? (JSON.parse(quoted ?? '') as string) : path;
    const [, mode, time, what = ''] = /^(0[0-7]{3,4})?\s*(?:@(\d+))?\s*(.*)$/.exec(rest) ?? [];
    const at = join(folder, name);
    const when = time === undefined ? TIME : Number(time);
    if (name.endsWith('/')) {
      mkdirSync(at, { recursive: true });
      folders.set(at.replace(/\/$/, ''), { mode: mode === undefined ? 0o755 : Number.parseInt(mode, 8), time: when });
      continue;
    }
    mkdirSync(dirname(at), { recursive: true });
    const [, kind, other = ''] = /^(->|=|tar\S* of)\s+(.*)$/.exec(what) ?? [];
    if (kind === '->') symlinkSync(other, at);
    else if (kind === '=') linkSync(join(folder, other), at);
    else if (kind?.startsWith('tar')) {
      const packs = `${join(folder, other)}/`;
      for (const [inner, time] of times) if (inner.startsWith(packs)) lutimesSync(inner, time, time);
      times = times.filter(([inner]) => !inner.startsWith(packs));
      pack(at, join(folder, other), { kind: kind.split(' ')[0] ?? '', folders });
    } else if (what === 'fifo') sys.mknod(at, 0o010644, { major: 0, minor: 0 });
    else if (what.startsWith('xattr ')) {
      writeFileSync(at, name);
      const [key = '', value = ''] = what.slice('xattr '.length).split('=');
      sys.setXattr(at, key, Buffer.from(value));
    } else writeFileSync(at, what.startsWith('"') ? (JSON.parse(what) as string) : what === '' ? name : what);
    if (kind !== '->') chmodSync(at, mode === undefined ? 0o644 : Number.parseInt(mode, 8));
    if (kind !== '=') times.push([at, when]);
  }
  for (const [name, content] of files) {
    const at = join(folder, name);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
    chmodSync(at, 0o644);
    times.push([at, TIME]);
  }
  for (const [at, time] of times) lutimesSync(at, time, time);
  settle(folder, folders);
}

/** Folders last, what is deepest first: whatever is made in one changes its time. */
function settle(folder: string, known: ReadonlyMap<string, { mode: number; time: number }>): void {
  for (const entry of readdirSync(folder, { withFileTypes: true }))
    if (entry.isDirectory()) settle(join(folder, entry.name), known);
  const { mode, time } = known.get(folder) ?? { mode: 0o755, time: TIME };
  chmodSync(folder, mode);
  lutimesSync(folder, time, time);
}

/** A tar of what is in a folder, which is then removed from the context. */
function pack(at: string, folder: string, o: { kind: string; folders: Parameters<typeof settle>[1] }): void {
  settle(folder, o.folders);
  const tar = execFileSync('tar', [
    '-C',
    folder,
    '--sort=name',
    '--numeric-owner',
    '--owner=0',
    '--group=0',
    '--format=gnu',
    '-c',
    ...readdirSync(folder).sort(),
  ]);
  const ways: Readonly<Record<string, () => Uint8Array>> = {
    tar: () => tar,
    'tar.gz': () => gzipSync(tar),
    'tar.zst': () => zstdCompressSync(tar),
    'tar.bz2': () => execFileSync('bzip2', ['-c'], { input: tar }),
    'tar.xz': () => execFileSync('xz', ['-c'], { input: tar }),
  };
  const bytes = ways[o.kind]?.();
  if (!bytes) throw new Error(`pack "${at}": there is no "${o.kind}"`);
  writeFileSync(at, bytes);
  execFileSync('rm', ['-r', folder]);
}
