import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, hasCode } from '../base/index.ts';
import type { Entry, FileTree, Mount } from '../tree/index.ts';
import { writeLayer, type Member } from './layer-tar.suite.ts';
import type { Snapshotter } from './snapshotter.ts';
import type { Details, Edit, Look } from './tree-edits.suite.ts';

/** A snapshotter under test, and how to reach into what its mounts make. */
export interface SnapshotterRig extends AsyncDisposable {
  readonly snapshotter: Snapshotter;
  /** For layer tars. */
  readonly folder: string;
  /** Whether files can be given any owner, and device nodes made. */
  readonly can: { readonly owners: boolean; readonly devices: boolean };
  edit(mounts: readonly Mount[], edits: readonly Edit[]): Promise<void>;
  look(mounts: readonly Mount[]): Promise<Look>;
  details(mounts: readonly Mount[], path: string): Promise<Details>;
}

const BASE: readonly Member[] = [
  { name: 'bin', type: 'symlink', link: 'usr/bin' },
  { name: 'etc/', type: 'directory', mode: 0o750 },
  { name: 'etc/hosts', text: 'localhost' },
  { name: 'etc/passwd', text: 'root', mode: 0o600 },
  { name: 'lib', type: 'symlink', link: '/usr/lib' },
  { name: 'tmp/', type: 'directory', mode: 0o1777 },
  { name: 'usr/', type: 'directory' },
  { name: 'usr/bin/', type: 'directory' },
  { name: 'usr/bin/su', text: 'su', mode: 0o4755 },
  { name: 'usr/lib/', type: 'directory' },
  { name: 'usr/lib/a', text: 'a' },
  { name: 'usr/lib/b', text: 'b' },
];
const BASE_LOOK: Look = {
  bin: 'link -> usr/bin',
  etc: 'folder 0750 0:0',
  'etc/hosts': 'file 0644 0:0 localhost',
  'etc/passwd': 'file 0600 0:0 root',
  lib: 'link -> /usr/lib',
  tmp: 'folder 1777 0:0',
  usr: 'folder 0755 0:0',
  'usr/bin': 'folder 0755 0:0',
  'usr/bin/su': 'file 4755 0:0 su',
  'usr/lib': 'folder 0755 0:0',
  'usr/lib/a': 'file 0644 0:0 a',
  'usr/lib/b': 'file 0644 0:0 b',
};

/** What every snapshotter does. */
export function snapshotterSuite(
  name: string,
  open: () => Promise<SnapshotterRig>,
  skip: string | false = false,
): void {
  const check = (what: string, work: (use: Use) => Promise<void>): void => {
    test(`${name}: ${what}`, { skip }, async () => {
      await using rig = await open();
      await work(new Use(rig));
    });
  };

  check('a layer applied to nothing is the tree that it holds', async (use) => {
    assert.equal(await use.s.has('base'), false);
    await use.apply(undefined, 'base', BASE);
    assert.equal(await use.s.has('base'), true);
    assert.deepEqual(await use.look('base'), { '.': 'folder 0755 0:0', ...BASE_LOOK });
  });

  check('times to the nanosecond, also of folders and links, and attributes', async (use) => {
    await use.apply(undefined, 'one', [
      { name: './', type: 'directory', mtime: '900000000.5', mode: 0o711 },
      { name: 'd/', type: 'directory', mtime: '1000000000.123456789' },
      { name: 'd/f', mtime: '1000000001.000000001', xattrs: { 'user.note': 'yes' } },
      { name: 'd/l', type: 'symlink', link: 'f', mtime: '-1.5' },
    ]);
    assert.equal((await use.details('one', 'd')).mtime, '1000000000123456789');
    assert.deepEqual(await use.details('one', 'd/f'), {
      mtime: '1000000001000000001',
      links: 1,
      xattrs: { 'user.note': 'yes' },
    });
    assert.equal((await use.details('one', 'd/l')).mtime, '-1500000000');
    assert.equal((await use.details('one', '')).mtime, '900000000500000000');
    assert.equal((await use.look('one'))['.'], 'folder 0711 0:0');
  });

  check('owners, capabilities and device nodes where the ground has them', async (use) => {
    const capability = '\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00';
    await use.apply(undefined, 'one', [
      { name: 'f', uid: 1000, gid: 42, mode: 0o6755, xattrs: { 'security.capability': capability } },
      { name: 'pipe', type: 'fifo', mode: 0o600 },
      { name: 'dev/null', type: 'character', mode: 0o666, device: [1, 3] },
    ]);
    const look = await use.look('one');
    assert.equal(look['f'], `file 6755 ${use.rig.can.owners ? '1000:42' : '0:0'} `);
    assert.equal(look['pipe'], 'fifo 0600 0:0');
    assert.equal(look['dev/null'], use.rig.can.devices ? 'character 0666 0:0 1:3' : undefined);
    assert.equal((await use.details('one', 'f')).xattrs['security.capability'], capability);
    const { notes = [] } = (await use.s.list())[0] ?? {};
    assert.equal(notes.length, (use.rig.can.devices ? 0 : 1) + (use.rig.can.owners ? 0 : 1), notes.join('; '));
  });

  check('whiteouts hide files and folders, and only below', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      { name: 'etc/.wh.passwd' },
      { name: 'etc/.wh.nothing' },
      { name: 'nowhere/.wh.nothing' },
      { name: 'usr/.wh.lib' },
      { name: '.wh.tmp' },
      { name: 'tmp', text: 'now a file' },
    ]);
    const { 'etc/passwd': _p, 'usr/lib': _l, 'usr/lib/a': _a, 'usr/lib/b': _b, ...rest } = BASE_LOOK;
    assert.deepEqual(await use.look('next'), {
      '.': 'folder 0755 0:0',
      ...rest,
      tmp: 'file 0644 0:0 now a file',
      // As containerd and Docker unpack it.
      nowhere: 'folder 0755 0:0',
    });
    assert.deepEqual(
      await use.changesOf('next'),
      ['- etc/passwd', '. etc', '. nowhere', '. tmp', '- usr/lib', '. usr'].sort(byPath),
    );
  });

  check('an opaque folder shows only what its own layer has in it', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      { name: 'usr/lib/.wh..wh..opq' },
      { name: 'usr/lib/c', text: 'c' },
      { name: 'etc/', type: 'directory', mode: 0o700 },
      { name: 'etc/.wh..wh..opq' },
    ]);
    const look = await use.look('next');
    assert.deepEqual(
      Object.keys(look)
        .filter((path) => /^(etc|usr\/lib)(\/|$)/.test(path))
        .sort(),
      ['etc', 'usr/lib', 'usr/lib/c'],
    );
    assert.equal(look['etc'], 'folder 0700 0:0');
    assert.deepEqual(await use.changesOf('next'), [
      '. etc',
      '- etc/hosts',
      '- etc/passwd',
      '. usr',
      '. usr/lib',
      '- usr/lib/a',
      '- usr/lib/b',
      '. usr/lib/c',
    ]);
  });

  check('a folder removed and made anew in one layer has nothing of the old one', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      { name: 'usr/.wh.lib' },
      { name: 'usr/lib/', type: 'directory' },
      { name: 'usr/lib/c', text: 'c' },
    ]);
    const look = await use.look('next');
    assert.deepEqual([look['usr/lib/a'], look['usr/lib/c']], [undefined, 'file 0644 0:0 c']);
  });

  check('a file replaces a folder, a folder a file or a link', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      { name: 'usr/bin', text: 'file' },
      { name: 'etc/hosts/', type: 'directory' },
      { name: 'etc/hosts/x', text: 'x' },
      { name: 'lib/', type: 'directory' },
      { name: 'lib/y', text: 'y' },
    ]);
    const look = await use.look('next');
    assert.equal(look['usr/bin'], 'file 0644 0:0 file');
    assert.equal(look['usr/bin/su'], undefined);
    assert.equal(look['etc/hosts/x'], 'file 0644 0:0 x');
    assert.equal(look['lib'], 'folder 0755 0:0');
    assert.equal(look['lib/y'], 'file 0644 0:0 y');
    assert.equal(look['usr/lib/y'], undefined);
    assert.equal((await use.look('base'))['usr/bin/su'], 'file 4755 0:0 su');
  });

  check('a folder that a layer does not speak of stays as it was', async (use) => {
    await use.apply(undefined, 'base', [
      { name: 'd/', type: 'directory', mode: 0o2751, mtime: 77, uid: 0, gid: 0, xattrs: { 'user.k': 'v' } },
    ]);
    await use.apply('base', 'next', [{ name: 'd/f', text: 'f' }]);
    const look = await use.look('next');
    assert.deepEqual([look['d'], look['d/f']], ['folder 2751 0:0', 'file 0644 0:0 f']);
    const details = await use.details('next', 'd');
    assert.deepEqual([details.mtime, details.xattrs], ['77000000000', { 'user.k': 'v' }]);
  });

  check('an entry below a link to a folder goes to where the link leads, inside the root', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      { name: 'lib/c', text: 'c' },
      { name: 'bin/.wh.su' },
      { name: 'up', type: 'symlink', link: '../../../..' },
      { name: 'up/top', text: 'top' },
      { name: 'far', type: 'symlink', link: '/var/new' },
      { name: 'far/f', text: 'f' },
    ]);
    const look = await use.look('next');
    assert.equal(look['lib'], 'link -> /usr/lib');
    assert.equal(look['usr/lib/c'], 'file 0644 0:0 c');
    assert.equal(look['usr/bin/su'], undefined);
    assert.equal(look['top'], 'file 0644 0:0 top');
    assert.equal(look['var/new/f'], 'file 0644 0:0 f');
  });

  check('once an entry below a link has taken the place of the link, paths no longer lead through it', async (use) => {
    const base: readonly Member[] = ['a', 'b', 'c'].map((name) => ({ name, type: 'symlink', link: '..' }));
    await use.apply(undefined, 'base', base);
    await use.apply('base', 'next', [
      { name: 'a/a/', type: 'directory' },
      { name: 'a/f', text: 'in the folder' },
      { name: 'b/.wh.b' },
      { name: 'b/f', text: 'in a folder of its own' },
      { name: 'c/f', text: 'by the link' },
    ]);
    assert.deepEqual(await use.look('next'), {
      '.': 'folder 0755 0:0',
      a: 'folder 0755 0:0',
      'a/f': 'file 0644 0:0 in the folder',
      b: 'folder 0755 0:0',
      'b/f': 'file 0644 0:0 in a folder of its own',
      c: 'link -> ..',
      f: 'file 0644 0:0 by the link',
    });
    const bad: readonly Member[] = [
      { name: 'c/c', text: 'a file' },
      { name: 'c/f', text: 'nowhere' },
    ];
    await assert.rejects(use.apply('base', 'bad', bad), (error) => hasCode(error, 'LAYER_INVALID'));
  });

  check('an opaque root shows only what its own layer has in it', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      { name: '.wh..wh..opq' },
      { name: 'etc/', type: 'directory' },
      { name: 'etc/new', text: 'new' },
      { name: 'lib', text: 'a file' },
    ]);
    const wanted = {
      '.': 'folder 0755 0:0',
      etc: 'folder 0755 0:0',
      'etc/new': 'file 0644 0:0 new',
      lib: 'file 0644 0:0 a file',
    };
    assert.deepEqual(await use.look('next'), wanted);
    assert.deepEqual(
      await use.changesOf('next'),
      ['- bin', '. etc', '- etc/hosts', '- etc/passwd', '. etc/new', '. lib', '- tmp', '- usr'].sort(byPath),
    );
    await use.apply('next', 'after', [{ name: 'usr/x', text: 'x' }]);
    assert.deepEqual(await use.look('after'), {
      ...wanted,
      usr: 'folder 0755 0:0',
      'usr/x': 'file 0644 0:0 x',
    });
  });

  check('a layer that names something outside, or makes no sense, is refused and leaves nothing', async (use) => {
    await use.apply(undefined, 'base', BASE);
    const bad: readonly (readonly Member[])[] = [
      [{ name: '../../evil', text: 'x' }],
      [{ name: 'a/../../evil', text: 'x' }],
      [{ name: 'evil', type: 'hardlink', link: '../../../etc/passwd' }],
      [{ name: 'evil', type: 'hardlink', link: 'etc/no-such-file' }],
      [{ name: 'evil', type: 'hardlink', link: 'etc' }],
      [
        { name: 'loop', type: 'symlink', link: 'loop' },
        { name: 'loop/f', text: 'x' },
      ],
      [{ name: 'etc/hosts/f', text: 'x' }],
    ];
    for (const [i, members] of bad.entries()) {
      await assert.rejects(use.apply('base', `bad${i}`, members), (error) => {
        assert.ok(
          hasCode(error, 'LAYER_UNSAFE', 'LAYER_INVALID', 'PATH_TRAVERSAL', 'TAR_CORRUPT', 'LAYER_CORRUPT'),
          `${JSON.stringify(members)}: ${String(error)}`,
        );
        return true;
      });
      assert.equal(await use.s.has(`bad${i}`), false);
    }
    assert.deepEqual(
      (await use.s.list()).map(({ id }) => id),
      ['base'],
    );
  });

  check('attributes by which an overlay keeps its own books are not taken from a layer', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      {
        name: 'usr/lib/',
        type: 'directory',
        xattrs: { 'trusted.overlay.opaque': 'y', 'user.overlay.opaque': 'y', 'user.overlay.redirect': '/etc' },
      },
    ]);
    assert.deepEqual(await use.look('next'), { '.': 'folder 0755 0:0', ...BASE_LOOK });
  });

  check('hard links, inside a layer and to a file below', async (use) => {
    await use.apply(undefined, 'base', BASE);
    await use.apply('base', 'next', [
      { name: 'one', text: 'shared', mode: 0o640 },
      { name: 'two', type: 'hardlink', link: 'one' },
      { name: 'three', type: 'hardlink', link: 'lib/a' },
      { name: 'four', type: 'hardlink', link: 'bin' },
    ]);
    const look = await use.look('next');
    assert.equal(look['two'], 'file 0640 0:0 shared');
    assert.equal(look['three'], 'file 0644 0:0 a');
    assert.equal(look['four'], 'link -> usr/bin');
    assert.equal((await use.details('next', 'one')).links, 2);
  });

  check('names of any bytes and any length', async (use) => {
    const deep = Array.from({ length: 12 }, (_, i) => `${i}`.repeat(i < 10 ? 200 : 100)).join('/');
    await use.apply(undefined, 'one', [
      { name: 'caf\udce9', text: 'latin' },
      { name: `${deep}/f`, text: 'deep' },
    ]);
    await using active = await use.s.prepare('one');
    await use.rig.edit(active.mounts, [{ do: 'append', path: 'caf\udce9', text: '-1' }]);
    await use.s.commit(active, 'two');
    const look = await use.look('two');
    assert.equal(look['caf\udce9'], 'file 0644 0:0 latin-1');
    assert.equal(look[`${deep}/f`], 'file 0644 0:0 deep');
    assert.deepEqual(await use.changesOf('two'), ['. caf\udce9']);
  });

  check('what a step adds, changes and removes are its changes, with the folders above', async (use) => {
    await use.step([
      { do: 'mkdir', path: 'new' },
      { do: 'write', path: 'new/file', text: 'hello', mode: 0o4711 },
      { do: 'symlink', path: 'new/link', to: '/etc/hosts' },
      { do: 'append', path: 'usr/lib/a', text: '!' },
      { do: 'chmod', path: 'usr/lib/b', mode: 0o600 },
      { do: 'remove', path: 'etc/passwd' },
      { do: 'remove', path: 'tmp' },
    ]);
    assert.deepEqual(await use.changesOf('step'), [
      '. etc',
      '- etc/passwd',
      '. new',
      '. new/file',
      '. new/link',
      '- tmp',
      '. usr',
      '. usr/lib',
      '. usr/lib/a',
      '. usr/lib/b',
    ]);
    const tree = await use.s.changes('step');
    const entries = new Map((await tree.entries()).map((entry) => [entry.path, entry]));
    assert.equal(entries.get('new/file')?.mode, 0o4711);
    assert.equal(entries.get('new/link')?.link, '/etc/hosts');
    assert.equal(entries.get('usr/lib/b')?.mode, 0o600);
    assert.equal(entries.get('etc')?.mode, 0o750);
    const { etc: _, 'etc/passwd': __, tmp: ___, ...rest } = BASE_LOOK;
    assert.deepEqual(await use.look('step'), {
      '.': 'folder 0755 0:0',
      ...rest,
      etc: 'folder 0750 0:0',
      new: 'folder 0755 0:0',
      'new/file': 'file 4711 0:0 hello',
      'new/link': 'link -> /etc/hosts',
      'usr/lib/a': 'file 0644 0:0 a!',
      'usr/lib/b': 'file 0600 0:0 b',
    });
  });

  check('what was touched and is the same is no change', async (use) => {
    await use.step([
      { do: 'open-for-writing', path: 'usr/lib/a' },
      { do: 'chmod', path: 'usr/lib/b', mode: 0o644 },
      { do: 'chmod', path: 'usr/bin', mode: 0o755 },
      { do: 'write', path: 'etc/x', text: 'x' },
      { do: 'remove', path: 'etc/x' },
      { do: 'write', path: 'etc/hosts', text: 'localhost' },
      { do: 'times', path: 'etc/hosts', mtime: 1_000_000_000 },
    ]);
    assert.deepEqual(await use.changesOf('step'), []);
  });

  check('a file of the same size and whole-second time but other content is a change', async (use) => {
    await use.step([
      { do: 'write', path: 'etc/hosts', text: 'LOCALHOST' },
      { do: 'times', path: 'etc/hosts', mtime: 1_000_000_000 },
    ]);
    assert.deepEqual(await use.changesOf('step'), ['. etc', '. etc/hosts']);
  });

  check('owner, mode and attributes alone make a change, of folders too', async (use) => {
    await use.step([
      { do: 'chmod', path: 'usr/bin', mode: 0o700 },
      { do: 'xattr', path: 'usr/lib/a', name: 'user.k', value: 'v' },
      ...(use.rig.can.owners ? [{ do: 'chown', path: 'etc', uid: 5, gid: 6 } as const] : []),
    ]);
    assert.deepEqual(await use.changesOf('step'), [
      ...(use.rig.can.owners ? ['. etc'] : []),
      '. usr',
      '. usr/bin',
      '. usr/lib',
      '. usr/lib/a',
    ]);
    const entry = (await (await use.s.changes('step')).entries()).find(({ path }) => path === 'usr/lib/a');
    assert.deepEqual([...(entry?.xattrs ?? [])], [['user.k', new Uint8Array(Buffer.from('v'))]]);
  });

  check(
    'a folder that is removed and made anew gives whiteouts for what is missing, never an opaque mark',
    async (use) => {
      await use.step([
        { do: 'remove', path: 'usr/lib' },
        { do: 'mkdir', path: 'usr/lib' },
        { do: 'write', path: 'usr/lib/b', text: 'new' },
        { do: 'mkdir', path: 'usr/lib/a' },
      ]);
      assert.deepEqual(await use.changesOf('step'), ['. usr', '. usr/lib', '. usr/lib/a', '. usr/lib/b']);
      await use.step(
        [
          { do: 'remove', path: 'etc' },
          { do: 'mkdir', path: 'etc', mode: 0o750 },
        ],
        'again',
      );
      assert.deepEqual(await use.changesOf('again'), ['. etc', '- etc/hosts', '- etc/passwd']);
    },
  );

  check('a renamed folder is whole at its new place and gone from the old', async (use) => {
    await use.step([
      { do: 'mkdir', path: 'opt' },
      { do: 'write', path: 'opt/f', text: 'f' },
      { do: 'rename', path: 'opt', to: 'srv' },
      { do: 'rename', path: 'etc/hosts', to: 'usr/hosts' },
    ]);
    assert.deepEqual(await use.changesOf('step'), ['. etc', '- etc/hosts', '. srv', '. srv/f', '. usr', '. usr/hosts']);
  });

  check('hard links of a step stay links, also to a file that was there', async (use) => {
    await use.step([
      { do: 'write', path: 'one', text: 'shared' },
      { do: 'link', path: 'two', to: 'one' },
      { do: 'link', path: 'usr/lib/z', to: 'usr/lib/a' },
    ]);
    const entries = await (await use.s.changes('step')).entries();
    assert.deepEqual(
      entries.map(({ path, type, link }) => `${type} ${path}${link === undefined ? '' : ` = ${link}`}`),
      [
        'file one',
        'hardlink two = one',
        'directory usr',
        'directory usr/lib',
        'file usr/lib/a',
        'hardlink usr/lib/z = usr/lib/a',
      ],
    );
  });

  check('the contents and digests of changes', async (use) => {
    const big = 'x'.repeat(3_000_000);
    await use.step([
      { do: 'write', path: 'a', text: 'first' },
      { do: 'write', path: 'b', text: big },
      { do: 'write', path: 'c', text: '' },
      { do: 'write', path: 'd', text: 'last' },
    ]);
    const tree = await use.s.changes('step');
    const files = (await tree.entries()).filter(({ type }) => type === 'file');
    assert.equal(Buffer.from(await collect(tree.read(files))).toString(), `first${big}last`);
    assert.equal(Buffer.from(await collect(tree.read(files.slice(3)))).toString(), 'last');
    assert.deepEqual(await tree.digests(files.slice(0, 1)), [
      'sha256:a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e',
    ]);
  });

  check('the changes of a step, written as a layer and applied, make the same tree', async (use) => {
    await use.step([
      { do: 'remove', path: 'usr/lib' },
      { do: 'mkdir', path: 'usr/lib', mode: 0o711 },
      { do: 'write', path: 'usr/lib/b', text: 'new' },
      { do: 'link', path: 'usr/lib/c', to: 'etc/passwd' },
      { do: 'remove', path: 'bin' },
      { do: 'mkdir', path: 'bin' },
      { do: 'write', path: 'bin/sh', text: 'sh', mode: 0o4755 },
    ]);
    const tree = await use.s.changes('step');
    await use.apply('base', 'applied', await membersOf(tree));
    assert.deepEqual(await use.look('applied'), await use.look('step'));
    assert.deepEqual(await use.changesOf('applied'), await use.changesOf('step'));
  });

  check('steps on one parent do not see each other, nor does the parent change', async (use) => {
    await use.apply(undefined, 'base', BASE);
    {
      await using one = await use.s.prepare('base');
      await using two = await use.s.prepare('base');
      await use.rig.edit(one.mounts, [{ do: 'append', path: 'usr/lib/a', text: '1' }]);
      await use.rig.edit(two.mounts, [{ do: 'append', path: 'usr/lib/a', text: '2' }]);
      await use.s.commit(one, 'one');
      await use.s.commit(two, 'two');
    }
    const texts = await Promise.all(['base', 'one', 'two'].map(async (id) => (await use.look(id))['usr/lib/a']));
    assert.deepEqual(texts, ['file 0644 0:0 a', 'file 0644 0:0 a1', 'file 0644 0:0 a2']);
  });

  check('a step without a parent begins empty', async (use) => {
    await using active = await use.s.prepare(undefined);
    assert.equal(active.parent, undefined);
    assert.deepEqual(await use.rig.look(active.mounts), { '.': 'folder 0755 0:0' });
    await use.rig.edit(active.mounts, [{ do: 'write', path: 'f', text: 'f' }]);
    await use.s.commit(active, 'first');
    assert.deepEqual(await use.look('first'), { '.': 'folder 0755 0:0', f: 'file 0644 0:0 f' });
    assert.deepEqual(await use.changesOf('first'), ['. f']);
  });

  check('a step that is given up leaves nothing', async (use) => {
    await use.apply(undefined, 'base', BASE);
    {
      await using active = await use.s.prepare('base');
      await use.rig.edit(active.mounts, [{ do: 'write', path: 'f', text: 'f' }]);
    }
    assert.deepEqual(
      (await use.s.list()).map(({ id }) => id),
      ['base'],
    );
    await use.s.remove('base');
    assert.equal(await use.s.has('base'), false);
  });

  check('committing a name that exists keeps the existing snapshot', async (use) => {
    await use.step([{ do: 'write', path: 'f', text: 'first' }]);
    await use.step([{ do: 'write', path: 'f', text: 'second' }]);
    assert.equal((await use.look('step'))['f'], 'file 0644 0:0 first');
    await use.apply('base', 'step', [{ name: 'g', text: 'third' }]);
    assert.equal((await use.look('step'))['g'], undefined);
  });

  check('a step is committed once', async (use) => {
    await using active = await use.s.prepare(undefined);
    await use.s.commit(active, 'one');
    await assert.rejects(use.s.commit(active, 'two'), (error) => hasCode(error, 'SNAPSHOT_CLOSED'));
    assert.equal(await use.s.has('two'), false);
  });

  check('a view cannot be written to', async (use) => {
    await use.step([{ do: 'write', path: 'f', text: 'f' }]);
    for (const id of ['base', 'step']) {
      await using view = await use.s.view(id);
      await assert.rejects(
        use.rig.edit(view.mounts, [{ do: 'write', path: 'g', text: 'g' }]),
        /EROFS|read-only file system/,
      );
    }
  });

  check('what is stood on or looked at is not removed; what is not there is removed already', async (use) => {
    await use.step([{ do: 'write', path: 'f', text: 'f' }]);
    const inUse = (error: unknown): boolean => hasCode(error, 'SNAPSHOT_IN_USE');
    await assert.rejects(use.s.remove('base'), inUse);
    {
      await using _ = await use.s.view('step');
      await assert.rejects(use.s.remove('step'), inUse);
    }
    {
      await using _ = await use.s.prepare('step');
      await assert.rejects(use.s.remove('step'), inUse);
    }
    await use.s.remove('step');
    await use.s.remove('base');
    await use.s.remove('base');
    assert.deepEqual(await use.s.list(), []);
  });

  check('the list names parents; usage counts what a snapshot itself takes', async (use) => {
    await use.step([{ do: 'write', path: 'f', text: 'x'.repeat(100_000) }]);
    const list = await use.s.list();
    assert.deepEqual(
      list.map(({ id, parent }) => [id, parent]),
      [
        ['base', undefined],
        ['step', 'base'],
      ],
    );
    const usage = await use.s.usage('step');
    assert.ok(usage.bytes >= 100_000 && usage.inodes >= 1, JSON.stringify(usage));
    assert.deepEqual(await use.s.usage('step'), usage);
  });

  check('names that are not known, and signals that have fired', async (use) => {
    const missing = (error: unknown): boolean => hasCode(error, 'SNAPSHOT_NOT_FOUND');
    await assert.rejects(use.s.prepare('none'), missing);
    await assert.rejects(use.s.view('none'), missing);
    await assert.rejects(use.s.changes('none'), missing);
    await assert.rejects(use.apply('none', 'x', []), missing);
    const signal = AbortSignal.abort(new Error('enough'));
    const cancelled = (error: unknown): boolean => hasCode(error, 'CANCELLED');
    await assert.rejects(use.s.prepare(undefined, { signal }), cancelled);
    await assert.rejects(use.s.apply(undefined, use.layer([]), 'x', { signal }), cancelled);
    assert.equal(await use.s.has('x'), false);
  });
}

/** The rig with what the checks have in common. */
class Use {
  readonly rig: SnapshotterRig;
  #layers = 0;

  constructor(rig: SnapshotterRig) {
    this.rig = rig;
  }

  get s(): Snapshotter {
    return this.rig.snapshotter;
  }

  layer(members: readonly Member[]): { readonly path: string } {
    return writeLayer(join(this.rig.folder, `layer-${this.#layers++}.tar`), members);
  }

  async apply(parent: string | undefined, id: string, members: readonly Member[]): Promise<void> {
    await this.s.apply(parent, this.layer(members), id);
  }

  /** `edits` on top of BASE, committed as `id`. */
  async step(edits: readonly Edit[], id = 'step'): Promise<void> {
    await this.apply(undefined, 'base', BASE);
    await using active = await this.s.prepare('base');
    await this.rig.edit(active.mounts, edits);
    await this.s.commit(active, id);
  }

  async look(id: string): Promise<Look> {
    await using view = await this.s.view(id);
    return await this.rig.look(view.mounts);
  }

  async details(id: string, path: string): Promise<Details> {
    await using view = await this.s.view(id);
    return await this.rig.details(view.mounts, path);
  }

  /** `-` and the path of what is gone, `.` and the path of what is there. */
  async changesOf(id: string): Promise<string[]> {
    const entries = await (await this.s.changes(id)).entries();
    for (const entry of entries) assert.notEqual(entry.type, 'opaque');
    return entries.map(({ path, type }) => `${type === 'whiteout' ? '-' : '.'} ${path}`);
  }
}

function byPath(a: string, b: string): number {
  return a.slice(2) < b.slice(2) ? -1 : 1;
}

/** Entries as members of a layer, as a layer writer makes them. */
export async function membersOf(tree: FileTree): Promise<Member[]> {
  const members: Member[] = [];
  for (const entry of await tree.entries()) {
    const text = entry.type === 'file' ? await collect(tree.read([entry])) : undefined;
    const slash = entry.path.lastIndexOf('/') + 1;
    if (entry.type === 'whiteout')
      members.push({ name: `${entry.path.slice(0, slash)}.wh.${entry.path.slice(slash)}` });
    else if (entry.type !== 'opaque') members.push({ ...memberOf(entry, entry.type), ...(text ? { text } : {}) });
  }
  return members;
}

function memberOf(entry: Entry, type: NonNullable<Member['type']>): Member {
  const xattrs = [...(entry.xattrs ?? [])].map(([key, value]) => [key, Buffer.from(value).toString('latin1')]);
  return {
    name: type === 'directory' ? `${entry.path}/` : entry.path,
    type,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    mtime: `${entry.mtime}.${`${entry.mtimeNs}`.padStart(9, '0')}`,
    ...(entry.link === undefined ? {} : { link: entry.link }),
    ...(entry.device === undefined ? {} : { device: [entry.device.major, entry.device.minor] as const }),
    ...(xattrs.length === 0 ? {} : { xattrs: Object.fromEntries(xattrs) as Record<string, string> }),
  };
}
