import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { collect, HttpClient, systemRandom } from '../base/index.ts';
import { DiskBlobStore, MemoryBlobStore } from '../blob/index.ts';
import { memoryTree, type Entry, type FileTree } from '../tree/index.ts';
import { baseTree } from './base-tree.ts';
import { cleaned } from './cleaned.ts';
import { configureSteps } from './configure-steps.ts';
import { fetchPackages } from './fetch-packages.ts';
import type { Lock } from './lock.ts';
import { DATE, rig, skip } from './mini-base.suite.ts';

async function made<T>(
  o: { packages?: readonly string[]; variant?: 'slim'; mode?: 'scripts' | 'extract' },
  use: (tree: FileTree, lock: Lock, read: (path: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  using at = rig();
  const lock = await at.resolve(o);
  await using http = new HttpClient();
  const blobs = new DiskBlobStore(join(at.folder, '../blobs'), { clock: { now: () => DATE }, random: systemRandom });
  await fetchPackages(lock, { http, blobs });
  const scratch = join(at.folder, '../trees');
  try {
    using tree = await baseTree(lock, { blobs, scratch, random: systemRandom, mode: o.mode ?? 'scripts' });
    const entries = await tree.entries();
    return await use(tree, lock, async (path) => {
      const file = entries.find((entry) => entry.path === path && entry.type === 'file');
      assert.ok(file, `a file "${path}"`);
      return Buffer.from(await collect(tree.read([file]))).toString();
    });
  } finally {
    assert.deepEqual(readdirSync(scratch), []);
  }
}

const byPath = (entries: readonly Entry[]): Map<string, Entry> => new Map(entries.map((entry) => [entry.path, entry]));

test("a tree with /usr merged and dpkg's database", { skip }, async () => {
  await made({ packages: ['curl'] }, async (tree, lock, read) => {
    const entries = byPath(await tree.entries());
    for (const name of ['bin', 'lib', 'sbin', 'lib64']) assert.equal(entries.get(name)?.link, `usr/${name}`);
    assert.equal(await read('usr/lib/x86_64-linux-gnu/libc.so.6'), 'libc\n');
    assert.equal(entries.get('usr/bin/sh')?.link, 'dash');
    assert.deepEqual(
      [entries.get('usr/bin/dash2')?.type, entries.get('usr/bin/dash2')?.link],
      ['hardlink', 'usr/bin/dash'],
    );
    assert.equal(entries.get('tmp')?.mode, 0o1777);
    assert.equal(await read('usr/bin/dash'), 'dash\n');
    assert.equal(
      await read('var/lib/dpkg/info/libc6:amd64.list'),
      '/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n/usr\n/usr/lib\n/usr/lib/other\n',
    );
    assert.equal(await read('var/lib/dpkg/info/dash.list'), '/.\n/bin\n/bin/dash\n/bin/dash2\n/bin/sh\n');
    assert.ok(!(await read('var/lib/dpkg/info/old-sh.list')).includes('/bin/dash'));
    const status = await read('var/lib/dpkg/status');
    assert.match(
      status,
      /^Package: base-files\nStatus: install ok unpacked\n[^]*?\nConffiles:\n \/etc\/issue 32865e97b5342e762ab140e00f3da23b\nDescription: /m,
    );
    assert.ok(!status.includes('Package: curl'));
    assert.equal(await read('var/lib/dpkg/triggers/File'), '/usr/share/shells.d dash/noawait\n');
    assert.equal(await read('var/lib/dpkg/triggers/ldconfig'), 'libc6:amd64\n');
    assert.equal(entries.get('var/lib/dpkg/info/dash.preinst')?.mode, 0o755);
    const sources = await read('etc/apt/sources.list.d/debian.sources');
    assert.match(
      sources,
      /^Types: deb\nURIs: file:\/\/\/\S+\nSuites: bookworm\nComponents: main\nSigned-By: \/etc\/apt\/keyrings\/mirror-1\.gpg\n$/,
    );
    assert.equal(
      entries.get('var/cache/strake/curl.deb')?.size,
      lock.packages.find(({ name }) => name === 'curl')?.size,
    );
    for (const entry of entries.values()) assert.ok(entry.mtime <= lock.epoch, entry.path);
    const [prepare, configure, install] = configureSteps(lock);
    assert.deepEqual(prepare?.args.slice(3), [
      'preinst',
      'base-files',
      'apt',
      'dash',
      'libc6',
      'mawk',
      'old-sh',
      'usr-is-merged',
    ]);
    assert.equal(configure?.args[0], 'dpkg');
    assert.deepEqual(install?.args.slice(-2), ['/var/cache/strake/curl.deb', '/var/cache/strake/libcurl4.deb']);
    assert.equal(prepare?.env['SOURCE_DATE_EPOCH'], String(lock.epoch));
  });
});

test('the same lock gives the same tree', { skip }, async () => {
  const digests = async (tree: FileTree): Promise<unknown> => {
    const entries = await tree.entries();
    const files = entries.filter(({ type }) => type === 'file');
    return [entries.map((entry) => ({ ...entry, xattrs: undefined })), await tree.digests(files)];
  };
  using at = rig();
  const lock = await at.resolve({ packages: ['curl'] });
  await using http = new HttpClient();
  const found: unknown[] = [];
  for (const scratch of ['one', 'two']) {
    const blobs = new MemoryBlobStore();
    await fetchPackages(lock, { http, blobs });
    using tree = await baseTree(lock, {
      blobs,
      scratch: join(at.folder, scratch),
      random: systemRandom,
      mode: 'scripts',
    });
    found.push(await digests(tree));
  }
  assert.deepEqual(found[0], found[1]);
});

test('a slim tree', { skip }, async () => {
  await made({ variant: 'slim' }, async (tree, _, read) => {
    const entries = byPath(await tree.entries());
    assert.ok(entries.has('usr/share/doc/old-sh/copyright'));
    assert.ok(!entries.has('usr/share/doc/old-sh/README'));
    assert.match(await read('etc/dpkg/dpkg.cfg.d/slim'), /^path-exclude \/usr\/share\/man\/\*$/m);
  });
});

test('a tree without scripts', { skip }, async () => {
  await made({ packages: ['curl'], mode: 'extract' }, async (tree, lock, read) => {
    const entries = byPath(await tree.entries());
    assert.equal(await read('usr/bin/curl'), 'curl\n');
    assert.ok(!entries.has('var/cache/strake'));
    assert.match(await read('var/lib/dpkg/status'), /^Package: curl\nStatus: install ok installed$/m);
    assert.equal(
      await read('etc/passwd'),
      'root:x:0:0:root:/root:/bin/sh\n_apt:x:42:65534::/nonexistent:/usr/sbin/nologin\n',
    );
    assert.equal((await read('etc/shadow')).split('\n')[0], `root:*:${Math.floor(lock.epoch / 86_400)}:0:99999:7:::`);
    assert.deepEqual([entries.get('etc/shadow')?.mode, entries.get('etc/shadow')?.gid], [0o640, 42]);
    assert.equal(await read('etc/profile'), 'PATH=\n');
    assert.equal(entries.get('etc/alternatives/awk')?.link, '/usr/bin/mawk');
    assert.equal(entries.get('usr/bin/awk')?.link, '/etc/alternatives/awk');
    assert.equal(entries.get('run/lock')?.mode, 0o1777);
  });
});

test('what is cleaned away, emptied and clamped', { skip }, async () => {
  using at = rig();
  const lock = await at.resolve({ packages: ['curl'] });
  const late = lock.epoch + 1000;
  const gone = {
    'var/log/dpkg.log': 'x',
    'var/log/apt/history.log': '',
    'var/cache/apt/pkgcache.bin': 'x',
    'var/cache/apt/archives/a.deb': 'x',
    'var/lib/apt/lists/mirror_InRelease': 'x',
    'var/cache/ldconfig/aux-cache': 'x',
    'etc/passwd-': 'x',
    'etc/hostname': 'x',
    'etc/resolv.conf': 'x',
    'etc/ssh/ssh_host_rsa_key': 'x',
    'var/lib/dpkg/status-old': 'x',
    'var/lib/dpkg/updates/0001': 'x',
    'var/lib/dpkg/lock': '',
    'usr/lib/python3/__pycache__/': {},
    'usr/lib/python3/__pycache__/a.pyc': 'x',
    'tmp/x': 'x',
    'run/x': 'x',
    'dev/null': { type: 'character' as const },
    'var/cache/strake/': {},
    'var/cache/strake/curl.deb': 'x',
  };
  const kept = {
    'etc/': { mtime: late, mtimeNs: 7 },
    'etc/machine-id': 'abc',
    'etc/shadow': { content: 'root:*:99999:0:99999:7:::\nx:!:100:0:\ny:*::::\n', mode: 0o640, mtime: late },
    'etc/old': { content: 'o', mtime: 5, mtimeNs: 9 },
    'run/lock/': { mode: 0o1777 },
    'tmp/': {},
    'usr/lib/python3/a.py': 'x',
    'var/lib/apt/extended_states': 'Package: z\n',
    'var/lib/dpkg/status': 'x',
    'var/log/lastlog': 'bytes',
    'var/cache/apt/archives/partial/': {},
  };
  const tree = cleaned(memoryTree({ ...gone, ...kept }), lock);
  const entries = await tree.entries();
  assert.deepEqual(
    entries.map(({ path }) => path),
    Object.keys(kept)
      .map((path) => path.replace(/\/$/, ''))
      .sort(),
  );
  const read = async (path: string): Promise<string> =>
    Buffer.from(await collect(tree.read(entries.filter((entry) => entry.path === path)))).toString();
  const day = Math.floor(lock.epoch / 86_400);
  assert.equal(await read('etc/shadow'), `root:*:${day}:0:99999:7:::\nx:!:100:0:\ny:*::::\n`);
  assert.equal(await read('etc/machine-id'), '');
  assert.equal(await read('var/log/lastlog'), '');
  assert.equal(
    await read('var/lib/apt/extended_states'),
    ['libc6', 'libcurl4', 'mawk']
      .map((name) => `Package: ${name}\nArchitecture: amd64\nAuto-Installed: 1\n\n`)
      .join(''),
  );
  const found = byPath(entries);
  assert.deepEqual([found.get('etc')?.mtime, found.get('etc')?.mtimeNs], [lock.epoch, 0]);
  assert.deepEqual([found.get('etc/old')?.mtime, found.get('etc/old')?.mtimeNs], [5, 0]);
});

test('when the first name of a file goes, its next name keeps the content', { skip }, async () => {
  using at = rig();
  const lock = await at.resolve();
  const tree = cleaned(
    memoryTree({
      'etc/passwd-': 'content',
      'usr/a': { type: 'hardlink', link: 'etc/passwd-' },
      'usr/b': { type: 'hardlink', link: 'etc/passwd-' },
    }),
    lock,
  );
  const entries = await tree.entries();
  assert.deepEqual(
    entries.map(({ path, type, link }) => [path, type, link]),
    [
      ['usr/a', 'file', undefined],
      ['usr/b', 'hardlink', 'usr/a'],
    ],
  );
  assert.equal(Buffer.from(await collect(tree.read(entries.slice(0, 1)))).toString(), 'content');
});
