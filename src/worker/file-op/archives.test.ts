import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { collect } from '../../base/index.ts';
import type { CopyAction } from '../../graph/index.ts';
import { folderSource, memoryTree, unionOf, viewTree, type MemoryFile, type TreeView } from '../../tree/index.ts';
import { applyFileOp } from './apply-file-op.ts';

type Files = Readonly<Record<string, MemoryFile>>;

function temporary(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'strake-archives-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  return root;
}

/** A tar of a small tree, made by GNU tar, with owners 5:6 and times of 100. */
function makeTar(root: string): Buffer {
  const folder = join(root, 'packed');
  mkdirSync(join(folder, 'd/sub'), { recursive: true, mode: 0o750 });
  writeFileSync(join(folder, 'd/file'), 'content', { mode: 0o640 });
  writeFileSync(join(folder, 'd/.wh.odd'), '');
  symlinkSync('../d/file', join(folder, 'd/link'));
  writeFileSync(join(folder, 'implied-x'), 'x');
  const args = ['--owner=5', '--group=6', '--mtime=@100', '--mode=u=rwX,go=rX', '--transform=s,^implied-x$,lib/x,'];
  execFileSync('tar', [...args, '--sort=name', '-cf', join(root, 'a.tar'), '-C', folder, 'd', 'implied-x'], {
    env: { ...process.env, LC_ALL: 'C' },
  });
  return readFileSync(join(root, 'a.tar'));
}

async function add(
  t: TestContext,
  from: TreeView,
  o: { base?: Files; action?: Partial<CopyAction> } = {},
): Promise<string[]> {
  const lower = memoryTree(o.base ?? {});
  const base = await unionOf([lower]);
  const action: CopyAction = {
    kind: 'copy',
    from: { input: 1 },
    sources: ['/*'],
    destination: '/to/',
    wildcard: true,
    parents: false,
    unpack: true,
    followDestination: true,
    ...o.action,
  };
  const scratch = temporary(t);
  const options = { base, inputs: [base, from], clock: { now: () => 9000 }, scratch, log: () => undefined };
  const tree = viewTree(await unionOf([lower, await applyFileOp({ kind: 'file', actions: [action] }, options)]));
  const out: string[] = [];
  for (const entry of await tree.entries()) {
    const content = entry.type === 'file' ? ` "${Buffer.from(await collect(tree.read([entry]))).toString()}"` : '';
    const link = entry.link === undefined ? '' : ` ${entry.link}`;
    out.push(
      `${entry.path} ${entry.type}${link} ${entry.mode.toString(8)} ${entry.uid}:${entry.gid} @${entry.mtime}${content}`,
    );
  }
  return out;
}

const UNPACKED = [
  'to directory 755 0:0 @9',
  'to/d directory 755 5:6 @100',
  'to/d/.wh.odd file 644 5:6 @100 ""',
  'to/d/file file 644 5:6 @100 "content"',
  'to/d/link symlink ../d/file 777 5:6 @100',
  'to/d/sub directory 755 5:6 @100',
  'to/lib directory 755 0:0 @9',
  'to/lib/x file 644 5:6 @100 "x"',
];

test('archives are unpacked by content, whatever their name and compression', async (t) => {
  const root = temporary(t);
  const tar = makeTar(root);
  const packed: Record<string, Buffer> = { 'plain.bin': tar, zst: zstdCompressSync(tar) };
  for (const tool of ['gzip', 'bzip2', 'xz']) packed[tool] = execFileSync(tool, ['-c'], { input: tar });
  for (const [name, content] of Object.entries(packed)) {
    const from = await unionOf([memoryTree({ [name]: content })]);
    assert.deepEqual(await add(t, from), UNPACKED, name);
  }
  const context = join(root, 'context');
  mkdirSync(context);
  writeFileSync(join(context, 'a.tgz'), packed['gzip']!);
  assert.deepEqual(await add(t, await unionOf([await folderSource(context).tree({})])), UNPACKED, 'from a folder');
});

test('what is no archive is copied, and so is what is not to be unpacked', async (t) => {
  const tar = makeTar(temporary(t));
  const files: Files = { a: 'text', b: Buffer.from([0x1f, 0x8b, 8, 0]), c: '', 'd/': '', 'd/in.tar': tar };
  const from = await unionOf([memoryTree(files)]);
  const names = (await add(t, from)).map((line) => line.split(' ').slice(0, 2).join(' '));
  assert.deepEqual(names, ['to directory', 'to/a file', 'to/b file', 'to/c file', 'to/in.tar file']);
  const kept = await add(t, await unionOf([memoryTree({ 'x.tar': tar })]), { action: { unpack: false } });
  assert.equal(kept.length, 2);
  assert.match(kept[1]!, /^to\/x\.tar file/);
});

test('an owner is given to all that is unpacked, a mode to nothing', async (t) => {
  const from = await unionOf([memoryTree({ t: makeTar(temporary(t)) })]);
  const lines = await add(t, from, { action: { owner: { user: 1, group: 2 }, mode: 0o777 } });
  assert.deepEqual(
    lines,
    UNPACKED.map((line) => line.replace('5:6', '1:2').replace(/^to directory 755 0:0/, 'to directory 755 1:2')),
  );
});

test('folders are merged, all else is replaced, and links that are there lead inside the destination', async (t) => {
  const from = await unionOf([memoryTree({ t: makeTar(temporary(t)) })]);
  const base: Files = {
    'to/': { mode: 0o700 },
    'to/d/': { uid: 9 },
    'to/d/kept': '',
    'to/d/file/': '',
    'to/d/file/was': '',
    'to/d/sub': { link: '/etc' },
    'to/lib': { link: '/real/lib' },
    'real/': '',
    'etc/': '',
  };
  assert.deepEqual(await add(t, from, { base }), [
    'etc directory 755 0:0 @0',
    'real directory 755 0:0 @0',
    'to directory 700 0:0 @0',
    'to/d directory 755 5:6 @100',
    'to/d/.wh.odd file 644 5:6 @100 ""',
    'to/d/file file 644 5:6 @100 "content"',
    'to/d/kept file 644 0:0 @0 ""',
    'to/d/link symlink ../d/file 777 5:6 @100',
    'to/d/sub directory 755 5:6 @100',
    'to/lib symlink /real/lib 777 0:0 @0',
    'to/real directory 755 0:0 @9',
    'to/real/lib directory 755 0:0 @9',
    'to/real/lib/x file 644 5:6 @100 "x"',
  ]);
});
