import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { collect } from '../../base/index.ts';
import type { CopyAction, FileAction } from '../../graph/index.ts';
import { memoryTree, unionOf, viewTree, type Entry, type FileTree, type MemoryFile } from '../../tree/index.ts';
import { applyFileOp } from './apply-file-op.ts';

type Files = Readonly<Record<string, MemoryFile>>;

const NOW = 1_700_000_000;
const scratch = mkdtempSync(join(tmpdir(), 'strake-file-op-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

async function apply(
  actions: readonly FileAction[],
  o: { base?: Files; from?: Files },
): Promise<{ changes: FileTree; all: FileTree }> {
  const lower = memoryTree(o.base ?? {});
  const base = await unionOf([lower]);
  const from = await unionOf([memoryTree(o.from ?? {})]);
  const changes = await applyFileOp(
    { kind: 'file', actions },
    { base, inputs: [base, from], clock: { now: () => NOW * 1000 }, scratch, log: () => undefined },
  );
  return { changes, all: viewTree(await unionOf([lower, changes])) };
}

function copyOf(sources: readonly string[], destination: string, more: Partial<CopyAction> = {}): CopyAction {
  return {
    kind: 'copy',
    from: { input: 1 },
    sources,
    destination,
    wildcard: true,
    parents: false,
    unpack: false,
    followDestination: true,
    ...more,
  };
}

async function lines(tree: FileTree): Promise<string[]> {
  const out: string[] = [];
  for (const entry of await tree.entries()) out.push(await lineOf(tree, entry));
  return out;
}

/** `path mode[ uid:gid][ @mtime]...`: what is usual is left out. */
async function lineOf(tree: FileTree, entry: Entry): Promise<string> {
  const { path, type, mode, uid, gid, mtime, link, device } = entry;
  const sign = {
    directory: '/',
    symlink: ` -> ${link}`,
    hardlink: ` = ${link}`,
    fifo: '|',
    whiteout: ' gone',
    opaque: '!',
  };
  const usual = type === 'directory' ? 0o755 : type === 'symlink' ? 0o777 : 0o644;
  const parts = [`${path}${(sign as Record<string, string>)[type] ?? ''}`];
  if (type === 'whiteout') return parts[0]!;
  if (mode !== usual) parts.push(mode.toString(8));
  if (uid !== 0 || gid !== 0) parts.push(`${uid}:${gid}`);
  if (mtime !== 0) parts.push(mtime === NOW ? '@now' : `@${mtime}`);
  if (device) parts.push(`${device.major},${device.minor}`);
  if (type === 'file') parts.push(`"${Buffer.from(await collect(tree.read([entry]))).toString()}"`);
  return parts.join(' ');
}

async function changes(actions: readonly FileAction[], o: { base?: Files; from?: Files }): Promise<string[]> {
  return lines((await apply(actions, o)).changes);
}

const SOURCE: Files = {
  'a.txt': { content: 'a', mtime: 11, mode: 0o600 },
  'b.txt': { content: 'b', mtime: 12 },
  'c.md': 'c',
  'dir/': { mode: 0o700, uid: 7, gid: 8, mtime: 20 },
  'dir/x': { content: 'x', mtime: 21, uid: 7, gid: 8 },
  'dir/sub/': { mode: 0o711, mtime: 22 },
  'dir/sub/y': { content: 'y', mode: 0o4755 },
  'dir/link': { link: '../a.txt', mtime: 23 },
  alias: { link: 'dir' },
  'alias.txt': { link: '/a.txt' },
  dangling: { link: 'nowhere' },
};
const copied = (action: CopyAction, base: Files = {}): Promise<string[]> => changes([action], { base, from: SOURCE });

test('a file to a name, into a folder, and into one that is made', async () => {
  assert.deepEqual(await copied(copyOf(['/a.txt'], '/new')), ['new 600 @11 "a"']);
  assert.deepEqual(await copied(copyOf(['/a.txt'], '/')), ['a.txt 600 @11 "a"']);
  assert.deepEqual(await copied(copyOf(['/a.txt'], '/deep/er/')), [
    'deep/ @now',
    'deep/er/ @now',
    'deep/er/a.txt 600 @11 "a"',
  ]);
  assert.deepEqual(await copied(copyOf(['/a.txt'], '/deep/er')), ['deep/ @now', 'deep/er 600 @11 "a"']);
  assert.deepEqual(await copied(copyOf(['/a.txt'], '/etc'), { 'etc/': { mode: 0o711, mtime: 5 } }), [
    'etc/ 711 @5',
    'etc/a.txt 600 @11 "a"',
  ]);
  assert.deepEqual(await copied(copyOf(['/a.txt'], '/etc/.'), { 'etc/': '' }), ['etc/', 'etc/a.txt 600 @11 "a"']);
  assert.deepEqual(await copied(copyOf(['/a.txt', '/b.txt'], '/d/')), [
    'd/ @now',
    'd/a.txt 600 @11 "a"',
    'd/b.txt @12 "b"',
  ]);
  assert.deepEqual(await copied(copyOf(['/a.txt', '/b.txt'], '/d')), ['d @12 "b"'], 'the later wins, as in BuildKit');
});

test('a folder copies what is in it; of the folder itself only the time', async () => {
  const inside = ['link -> ../a.txt @23', 'sub/ 711 @22', 'sub/y 4755 "y"', 'x 7:8 @21 "x"'];
  const below = (to: string): string[] => inside.map((line) => `${to}/${line}`);
  assert.deepEqual(await copied(copyOf(['/dir'], '/')), inside);
  assert.deepEqual(await copied(copyOf(['/dir/'], '/to')), ['to/ @20', ...below('to')]);
  assert.deepEqual(await copied(copyOf(['dir'], '/to/'), { 'to/': { mode: 0o700, uid: 3, mtime: 9 } }), [
    'to/ 700 3:0 @20',
    ...below('to'),
  ]);
  assert.deepEqual(
    await copied(copyOf(['/alias'], '/to')),
    ['to/ @20', ...below('to')],
    'a link that is the source is followed',
  );
  assert.deepEqual(await copied(copyOf(['/alias.txt'], '/to/')), ['to/ @now', 'to/alias.txt 600 @11 "a"']);
  const merged = await apply([copyOf(['/dir'], '/to')], {
    base: { 'to/sub/': { mode: 0o777, uid: 9 }, 'to/sub/kept': '', 'to/x': 'old' },
    from: SOURCE,
  });
  assert.deepEqual(await lines(merged.all), [
    'to/ @20',
    'to/link -> ../a.txt @23',
    'to/sub/ 711 @22',
    'to/sub/kept ""',
    'to/sub/y 4755 "y"',
    'to/x 7:8 @21 "x"',
  ]);
  assert.deepEqual(await copied(copyOf(['/'], '/all/'), {}), [
    'all/ @now',
    'all/a.txt 600 @11 "a"',
    'all/alias -> dir',
    'all/alias.txt -> /a.txt',
    'all/b.txt @12 "b"',
    'all/c.md "c"',
    'all/dangling -> nowhere',
    'all/dir/ 700 7:8 @20',
    'all/dir/link -> ../a.txt @23',
    'all/dir/sub/ 711 @22',
    'all/dir/sub/y 4755 "y"',
    'all/dir/x 7:8 @21 "x"',
  ]);
});

test('wildcards match part by part, and may match nothing', async () => {
  assert.deepEqual(await copied(copyOf(['/*.txt'], '/d/')), [
    'd/ @now',
    'd/a.txt 600 @11 "a"',
    'd/alias.txt 600 @11 "a"',
    'd/b.txt @12 "b"',
  ]);
  assert.deepEqual(await copied(copyOf(['/none*', '/c.md'], '/d/')), ['d/ @now', 'd/c.md "c"']);
  assert.deepEqual(await copied(copyOf(['/none*'], '/d/')), []);
  assert.deepEqual(await copied(copyOf(['/d*/[wx]'], '/')), ['x 7:8 @21 "x"']);
  assert.deepEqual(
    await copied(copyOf(['/dir*'], '/')),
    await copied(copyOf(['/dir'], '/')),
    'a matched folder is copied by what is in it',
  );
  await assert.rejects(copied(copyOf(['/none'], '/d/')), {
    code: 'PATH_NOT_FOUND',
    kind: 'not_found',
    message: '"/none": not found',
  });
  await assert.rejects(copied(copyOf(['/c.md', '/none'], '/d/')), { code: 'PATH_NOT_FOUND' });
  await assert.rejects(copied(copyOf(['/dangling'], '/d/')), { code: 'PATH_NOT_FOUND' });
  await assert.rejects(copied(copyOf(['/*.txt'], '/d/', { wildcard: false })), { code: 'PATH_NOT_FOUND' });
  await assert.rejects(copied(copyOf(['/a[.txt'], '/d/')), { code: 'PATTERN_INVALID' });
  assert.deepEqual(await copied(copyOf(['/../../c.md'], '/')), ['c.md "c"'], 'rooted at the context');
});

test('links in the destination are followed inside the root', async () => {
  const base: Files = {
    'usr/lib/': '',
    lib: { link: 'usr/lib' },
    out: { link: '../../../usr/lib' },
    'abs.txt': { link: '/usr/lib/target' },
  };
  assert.deepEqual(await copied(copyOf(['/c.md'], '/lib/'), base), ['usr/', 'usr/lib/', 'usr/lib/c.md "c"']);
  assert.deepEqual(await copied(copyOf(['/c.md'], '/out/new/'), base), [
    'usr/',
    'usr/lib/',
    'usr/lib/new/ @now',
    'usr/lib/new/c.md "c"',
  ]);
  assert.deepEqual(await copied(copyOf(['/c.md'], '/abs.txt'), base), ['usr/', 'usr/lib/', 'usr/lib/target "c"']);
  assert.deepEqual(await copied(copyOf(['/c.md'], '/gone/x'), { gone: { link: 'far/away' } }), [
    'far/ @now',
    'far/away/ @now',
    'far/away/x "c"',
  ]);
  await assert.rejects(copied(copyOf(['/c.md'], '/loop/x'), { loop: { link: 'loop' } }), { code: 'LINK_LOOP' });
});

test('what is of another kind is not overwritten', async () => {
  const folder: Files = { 'd/': '', 'd/a.txt/': '' };
  const conflict = { code: 'FILE_CONFLICT', kind: 'invalid' };
  await assert.rejects(copied(copyOf(['/a.txt'], '/d/'), folder), {
    ...conflict,
    message: 'copy "/a.txt": cannot replace to directory "/d/a.txt" with file',
  });
  await assert.rejects(copied(copyOf(['/dir'], '/d'), { d: 'file' }), {
    ...conflict,
    message: 'copy folder "/dir": cannot copy to non-directory: "/d"',
  });
  await assert.rejects(copied(copyOf(['/dir'], '/'), { sub: 'file' }), {
    ...conflict,
    message: 'copy folder "/dir/sub": cannot copy to non-directory: "/sub"',
  });
  await assert.rejects(
    copied(copyOf(['/dir'], '/'), { sub: { link: 'x' }, 'x/': '' }),
    conflict,
    'not even through a link',
  );
  await assert.rejects(copied(copyOf(['/a.txt'], '/f/x'), { f: 'file' }), conflict);
  await assert.rejects(copied(copyOf(['/a.txt'], '/f/'), { f: 'file' }), conflict);
  assert.deepEqual(await copied(copyOf(['/dir/x'], '/x'), { x: { link: 'elsewhere' } }), ['elsewhere 7:8 @21 "x"']);
  assert.deepEqual(
    await copied(copyOf(['/dir'], '/'), { x: { link: 'elsewhere' } }),
    await copied(copyOf(['/dir'], '/')),
    'but a file takes the place of a link',
  );
});

test('owners by number and by name', async () => {
  const base: Files = {
    'etc/passwd': 'root:x:0:0::/root:/bin/sh\nwww:x:33:34::/:/bin/false\nbroken:x:oops:1\n',
    'etc/group': 'root:x:0:\nstaff:x:50:www\n',
  };
  const owned = async (user: number | string, group?: number | string, files = base): Promise<string> =>
    (await copied(copyOf(['/c.md'], '/n/', { owner: { user, group } }), files))
      .filter((line) => line.startsWith('n/'))
      .join(', ');
  assert.equal(await owned(5), 'n/ 5:5 @now, n/c.md 5:5 "c"');
  assert.equal(await owned('5'), 'n/ 5:5 @now, n/c.md 5:5 "c"');
  assert.equal(await owned(5, 6), 'n/ 5:6 @now, n/c.md 5:6 "c"');
  assert.equal(await owned('www'), 'n/ 33:34 @now, n/c.md 33:34 "c"');
  assert.equal(await owned('www', 'staff'), 'n/ 33:50 @now, n/c.md 33:50 "c"');
  assert.equal(await owned('root', 'root'), 'n/ @now, n/c.md "c"');
  assert.equal(await owned('nobody'), 'n/ @now, n/c.md "c"');
  assert.equal(await owned('www', 'staff', {}), 'n/ @now, n/c.md "c"');
  assert.equal(await owned('broken'), 'n/ 0:1 @now, n/c.md 0:1 "c"');
  assert.equal(await owned(5, 'none'), 'n/ 5:5 @now, n/c.md 5:5 "c"');
  assert.deepEqual(await copied(copyOf(['/dir'], '/n', { owner: { user: 1, group: 2 } })), [
    'n/ 1:2 @20',
    'n/link -> ../a.txt 1:2 @23',
    'n/sub/ 711 1:2 @22',
    'n/sub/y 4755 1:2 "y"',
    'n/x 1:2 @21 "x"',
  ]);
  await assert.rejects(owned('www', undefined, { 'etc/passwd/': '' }), { code: 'USER_FILE_INVALID' });
});

test('modes', async () => {
  assert.deepEqual(await copied(copyOf(['/dir'], '/n/m', { mode: 0o2750 })), [
    'n/ 750 @now',
    'n/m/ 750 @20',
    'n/m/link -> ../a.txt @23',
    'n/m/sub/ 2750 @22',
    'n/m/sub/y 2750 "y"',
    'n/m/x 2750 7:8 @21 "x"',
  ]);
  assert.deepEqual(await copied(copyOf(['/dir'], '/n', { mode: 'go-rx,u+X' })), [
    'n/ @20',
    'n/link -> ../a.txt @23',
    'n/sub/ 700 @22',
    'n/sub/y 4700 "y"',
    'n/x 600 7:8 @21 "x"',
  ]);
  await assert.rejects(copied(copyOf(['/dir'], '/n', { mode: 'u+q' })), { code: 'MODE_INVALID' });
});

test('hard links within a source, devices and attributes are kept', async () => {
  const from: Files = {
    'd/': '',
    'd/b': 'same',
    'd/a': { type: 'hardlink', link: 'd/b' },
    'd/dev': { type: 'character', device: { major: 1, minor: 3 }, mode: 0o666 },
    'd/fifo': { type: 'fifo' },
    'd/x': { content: 'x', xattrs: new Map([['user.note', Buffer.from('n')]]) },
    e: { type: 'hardlink', link: 'd/b' },
  };
  const { changes: tree } = await apply([copyOf(['/d', '/e'], '/')], { from });
  assert.deepEqual(await lines(tree), ['a "same"', 'b = a', 'dev 666 1,3', 'e "same"', 'fifo|', 'x "x"']);
  const x = (await tree.entries()).find((entry) => entry.path === 'x');
  assert.deepEqual([...(x?.xattrs ?? [])], [['user.note', Buffer.from('n')]]);
});

test('what is excluded is left out, but not the source itself', async () => {
  assert.deepEqual(await copied(copyOf(['/dir'], '/', { exclude: ['sub', 'l*'] })), ['x 7:8 @21 "x"']);
  assert.deepEqual(await copied(copyOf(['/dir'], '/', { exclude: ['*', '!sub/y'] })), [
    'sub/ 711 @22',
    'sub/y 4755 "y"',
  ]);
  assert.deepEqual(
    await copied(copyOf(['/dir'], '/', { exclude: ['*', '!sub/y'] }), { 'sub/': { uid: 5 } }),
    ['sub/ 711 5:0', 'sub/y 4755 "y"'],
    'a folder that is there gets the mode alone',
  );
  assert.deepEqual(await copied(copyOf(['/c.md'], '/', { exclude: ['*.md'] })), ['c.md "c"']);
  assert.deepEqual(await copied(copyOf(['/dir'], '/n', { exclude: ['**'] })), ['n/ @20']);
});

test('parents keep the path, from the pivot on', async () => {
  const parents = { parents: true } as const;
  assert.deepEqual(await copied(copyOf(['/dir/sub/y'], '/n/', parents)), [
    'n/ @now',
    'n/dir/ 700 7:8 @20',
    'n/dir/sub/ 711 @22',
    'n/dir/sub/y 4755 "y"',
  ]);
  assert.deepEqual(await copied(copyOf(['/dir/./sub/y'], '/n/', parents)), [
    'n/ @20',
    'n/sub/ 711 @22',
    'n/sub/y 4755 "y"',
  ]);
  assert.deepEqual(await copied(copyOf(['/**/y', '/c.md'], '/', parents)), [
    'c.md "c"',
    'dir/ 700 7:8 @20',
    'dir/sub/ 711 @22',
    'dir/sub/y 4755 "y"',
  ]);
  assert.deepEqual(await copied(copyOf(['/**/none'], '/n/', parents)), ['n/ @now']);
  await assert.rejects(copied(copyOf(['/dir/none'], '/', parents)), {
    code: 'PATH_NOT_FOUND',
    message: '"/dir/none": not found',
  });
});

test('files of the plan', async () => {
  const from = {
    files: [
      { name: 'EOF', content: 'text', mode: 0o644 },
      { name: 'other', content: '', mode: 0o755 },
    ],
  };
  assert.deepEqual(await changes([copyOf([], '/n/', { from })], {}), [
    'n/ @now',
    'n/EOF @now "text"',
    'n/other 755 @now ""',
  ]);
  const one = { files: from.files.slice(0, 1) };
  assert.deepEqual(await changes([copyOf([], '/f', { from: one, owner: { user: 3 }, mode: 0o700, mtime: 99 })], {}), [
    'f 700 3:3 @99 "text"',
  ]);
});

test('a time given to all', async () => {
  assert.deepEqual(await copied(copyOf(['/dir'], '/n/m', { mtime: 99 })), [
    'n/ @99',
    'n/m/ @99',
    'n/m/link -> ../a.txt @99',
    'n/m/sub/ 711 @99',
    'n/m/sub/y 4755 @99 "y"',
    'n/m/x 7:8 @99 "x"',
  ]);
});

test('what is already so is no change', async () => {
  const base: Files = {
    'd/': { mtime: 1 },
    'd/x': { content: 'x', mtime: 21, uid: 7, gid: 8 },
    'd/sub/': { mode: 0o711 },
    'd/sub/y': { content: 'y', mode: 0o4755 },
    'd/link': { link: '../a.txt', mtime: 23 },
  };
  assert.deepEqual(await copied(copyOf(['/dir'], '/d'), base), []);
  assert.deepEqual(
    await copied(copyOf(['/dir/x'], '/d/x'), { ...base, 'd/x': { content: 'X', mtime: 21, uid: 7, gid: 8 } }),
    ['d/ @1', 'd/x 7:8 @21 "x"'],
  );
  assert.deepEqual(await changes([{ kind: 'mkdir', path: '/d', mode: 0o700, parents: true }], { base }), []);
});

test('folders', async () => {
  const mkdir = (path: string, more: object = {}): FileAction => ({
    kind: 'mkdir',
    path,
    mode: 0o755,
    parents: true,
    ...more,
  });
  assert.deepEqual(
    await changes([mkdir('/a/b', { owner: { user: 'app' }, mode: 0o1750 })], {
      base: { 'etc/passwd': 'app:x:9:10::/:/' },
    }),
    ['a/ 750 9:10 @now', 'a/b/ 750 9:10 @now'],
  );
  assert.deepEqual(await changes([mkdir('/l/b', { mtime: 5 })], { base: { l: { link: 'real' }, 'real/': '' } }), [
    'real/',
    'real/b/ @5',
  ]);
  assert.deepEqual(await changes([mkdir('/')], {}), []);
  await assert.rejects(changes([mkdir('/f/x')], { base: { f: '' } }), { code: 'FILE_CONFLICT' });
  await assert.rejects(changes([mkdir('/a/b', { parents: false })], {}), { code: 'FOLDER_MISSING', kind: 'not_found' });
  await assert.rejects(changes([mkdir('/f/b', { parents: false })], { base: { f: '' } }), { code: 'FILE_CONFLICT' });
  assert.deepEqual(await changes([mkdir('/f', { parents: false })], { base: { f: '' } }), [], 'something is there');
});

test('files and links', async () => {
  const mkfile = (path: string, more: object = {}): FileAction => ({
    kind: 'mkfile',
    path,
    mode: 0o640,
    content: 'né',
    ...more,
  });
  assert.deepEqual(await changes([mkfile('/f', { owner: { user: 1, group: 2 } })], {}), ['f 640 1:2 @now "né"']);
  assert.deepEqual(await changes([mkfile('/f')], { base: { f: { content: 'old', mode: 0o600, uid: 4 } } }), [
    'f 600 4:0 @now "né"',
  ]);
  assert.deepEqual(await changes([mkfile('/l')], { base: { l: { link: 'target' } } }), ['target 640 @now "né"']);
  await assert.rejects(changes([mkfile('/a/f')], {}), { code: 'FOLDER_MISSING' });
  await assert.rejects(changes([mkfile('/d')], { base: { 'd/': '' } }), { code: 'FILE_CONFLICT' });
  const link = (path: string): FileAction => ({ kind: 'symlink', path, target: '../x', owner: { user: 3 }, mtime: 4 });
  assert.deepEqual(await changes([link('/s')], {}), ['s -> ../x 3:3 @4']);
  await assert.rejects(changes([link('/s')], { base: { s: '' } }), { code: 'FILE_CONFLICT' });
  await assert.rejects(changes([link('/a/s')], {}), { code: 'FOLDER_MISSING' });
});

test('removing', async () => {
  const rm = (path: string, more: object = {}): FileAction => ({
    kind: 'remove',
    path,
    wildcard: false,
    missingOk: false,
    ...more,
  });
  const base: Files = {
    'd/': '',
    'd/a.txt': '',
    'd/b.txt': '',
    'd/sub/': '',
    'd/sub/x': '',
    l: { link: 'd' },
    broken: { link: 'no' },
  };
  assert.deepEqual(await changes([rm('/d')], { base }), ['d gone']);
  assert.deepEqual(await changes([rm('/d/*.txt', { wildcard: true })], { base }), [
    'd/',
    'd/a.txt gone',
    'd/b.txt gone',
  ]);
  assert.deepEqual(await changes([rm('/l')], { base }), ['l gone'], 'the link, not what it leads to');
  assert.deepEqual(await changes([rm('/l/sub')], { base }), ['d/', 'd/sub gone']);
  assert.deepEqual(await changes([rm('/none/x', { missingOk: true })], { base }), []);
  assert.deepEqual(await changes([rm('/none*', { wildcard: true })], { base }), []);
  await assert.rejects(changes([rm('/none')], { base }), { code: 'FOLDER_MISSING', kind: 'not_found' });
  await assert.rejects(changes([rm('/broken')], { base }), { code: 'FOLDER_MISSING' });
  await assert.rejects(changes([rm('/')], { base }), { code: 'FILE_CONFLICT' });
});

test('actions see what those before them did', async () => {
  const base: Files = { 'd/': '', 'd/old': '', 'd/sub/': '', 'd/sub/deep': '' };
  const rm: FileAction = { kind: 'remove', path: '/d', wildcard: false, missingOk: false };
  const mkdir: FileAction = { kind: 'mkdir', path: '/d/sub', mode: 0o755, parents: true, mtime: 0 };
  assert.deepEqual(await changes([rm, mkdir, copyOf(['/c.md'], '/d/sub/')], { base, from: SOURCE }), [
    'd/',
    'd/old gone',
    'd/sub/',
    'd/sub/c.md "c"',
    'd/sub/deep gone',
  ]);
  assert.deepEqual(await changes([copyOf(['/c.md'], '/n'), { ...rm, path: '/n' }], { from: SOURCE }), []);
  assert.deepEqual(
    await changes([copyOf(['/c.md'], '/n'), { ...rm, path: '/*', wildcard: true }], { base, from: SOURCE }),
    ['d gone'],
  );
  const file: FileAction = { kind: 'mkfile', path: '/d', mode: 0o644, content: 'now a file', mtime: 0 };
  assert.deepEqual(
    await changes([rm, file], { base }),
    ['d "now a file"'],
    'in the place of a folder, without a whiteout',
  );
  assert.deepEqual(await lines((await apply([rm, file], { base })).all), ['d "now a file"']);
  assert.deepEqual(await lines((await apply([rm, mkdir], { base })).all), ['d/', 'd/sub/']);
});

test('cancelled before it starts', async () => {
  const base = await unionOf([]);
  const o = { base, inputs: [base], clock: { now: () => 0 }, scratch, log: () => undefined };
  await assert.rejects(
    applyFileOp({ kind: 'file', actions: [copyOf(['/'], '/')] }, { ...o, signal: AbortSignal.abort() }),
    { code: 'CANCELLED' },
  );
});

test('what definitions of BuildKit say beyond Dockerfiles', async () => {
  assert.deepEqual(await copied(copyOf(['/alias'], '/to', { followSource: false })), [
    'to -> dir @now'.replace(' @now', ''),
  ]);
  const itself = copyOf(['/dir/sub'], '/there', { folderItself: true });
  const nested = await copied(itself, { 'there/': {} });
  assert.deepEqual(
    nested.filter((line) => line.startsWith('there/')).map((line) => line.split(' ')[0]),
    ['there/', 'there/sub/', 'there/sub/y'],
  );
  const fresh = await copied(itself);
  assert.deepEqual(
    fresh.map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['there/ 711', 'there/y 4755'],
  );
  await assert.rejects(
    copied(copyOf(['/c.md'], '/no/such', { makeFolders: false })),
    /copy to "\/no\/such": folder "\/no" not found/,
  );
  await assert.rejects(copied(copyOf(['/none*'], '/to', { emptyWildcard: false })), /"\/none\*": not found/);
  const replaced = copyOf(['/dir'], '/x', { replace: true, include: ['sub'], mtime: 5, mtimeNs: 7 });
  assert.deepEqual(await copied(replaced, { 'x/sub': 'a file' }), ['x/ @5', 'x/sub/ 711 @5', 'x/sub/y 4755 @5 "y"']);
  const bytes: FileAction = { kind: 'mkfile', path: '/b', mode: 0o644, content: 'aGk=', encoding: 'base64', mtime: 3 };
  assert.deepEqual(await changes([bytes], {}), ['b @3 "hi"']);
  const named: FileAction = { ...bytes, owner: { user: 'app', group: 'crew', userInput: 1, groupInput: 1 } };
  const users = { 'etc/passwd': 'app:x:5:6::/:\n', 'etc/group': 'crew:x:9:\n' };
  assert.deepEqual(await changes([named], { from: users }), ['b 5:9 @3 "hi"']);
});
