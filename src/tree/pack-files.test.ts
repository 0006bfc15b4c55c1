import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { packFiles } from './pack-files.ts';
import { openRoot, statRooted } from './rooted-files.ts';
import { unpackFiles } from './unpack-files.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'strake-pack-'));
  for (const name of ['from/a/deep', 'to', 'outside']) mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'outside/secret'), 'secret\n');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function* chopped(bytes: Buffer, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const tarOf = async (path: string, o: { as: string; follow?: boolean }): Promise<Buffer> => {
  using root = openRoot(join(folder, 'from'));
  return Buffer.concat(await Array.fromAsync(packFiles(root.fd, path, o)));
};
const unpack = async (tar: Buffer, to = '/', size = 1000): Promise<void> => {
  using root = openRoot(join(folder, 'to'));
  await unpackFiles(chopped(tar, size), { root: root.fd, folder: to });
};
const at = (name: string): string => join(folder, name);

test('files, folders, links and times travel, in pieces of any size, as tar reads them', async () => {
  const big = Buffer.alloc(700_001, 'strake ');
  writeFileSync(at('from/a/big'), big);
  writeFileSync(at('from/a/deep/run'), '#!/bin/sh\n');
  chmodSync(at('from/a/deep/run'), 0o4755);
  linkSync(at('from/a/deep/run'), at('from/a/same'));
  symlinkSync('../b', at('from/a/link'));
  writeFileSync(Buffer.concat([Buffer.from(at('from/a/')), Buffer.from([0x6e, 0xff])]), 'odd\n');
  writeFileSync(at(`from/a/${'n'.repeat(120)}`), '');
  utimesSync(at('from/a/big'), 5, 1_000_000_007);
  utimesSync(at('from/a/deep'), 5, 1_000_000_009);
  const tar = await tarOf('/a', { as: 'b' });
  const listed = spawnSync('tar', ['-t'], { input: tar, encoding: 'latin1' });
  assert.equal(listed.status, 0, listed.stderr);
  assert.match(listed.stdout, /^b\/\nb\/big\nb\/deep\/\nb\/deep\/run\nb\/link\n/);
  for (const size of [500, 512, 4096, tar.length]) {
    rmSync(at('to/b'), { recursive: true, force: true });
    await unpack(tar, '/', size);
    assert.ok(readFileSync(at('to/b/big')).equals(big), `in pieces of ${size}`);
    assert.equal(lstatSync(at('to/b/deep/run')).mode & 0o7777, 0o4755);
    assert.equal(lstatSync(at('to/b/same')).ino, lstatSync(at('to/b/deep/run')).ino);
    assert.equal(readlinkSync(at('to/b/link')), '../b');
    assert.equal(lstatSync(at('to/b/big')).mtimeMs, 1_000_000_007_000);
    assert.equal(lstatSync(at('to/b/deep')).mtimeMs, 1_000_000_009_000);
    assert.ok(existsSync(Buffer.concat([Buffer.from(at('to/b/')), Buffer.from([0x6e, 0xff])])));
    if (size !== tar.length) continue;
    const sparse = spawnSync('tar', ['-S', '-C', at('from'), '-c', 'a'], { maxBuffer: 1 << 26 });
    await unpack(sparse.stdout, '/b');
    assert.ok(readFileSync(at('to/b/a/big')).equals(big));
  }
});

test('what was sparse is whole again', async () => {
  spawnSync('truncate', ['-s', '3000000', at('from/holes')]);
  spawnSync('sh', [
    '-c',
    `printf end >>${at('from/holes')}; printf mid | dd of=${at('from/holes')} bs=1 seek=1000000 conv=notrunc`,
  ]);
  const tar = spawnSync('tar', ['-S', '-C', at('from'), '-c', 'holes'], { maxBuffer: 1 << 26 }).stdout;
  assert.ok(tar.length < 1_000_000);
  await unpack(tar);
  assert.ok(readFileSync(at('to/holes')).equals(readFileSync(at('from/holes'))));
});

test('files take the place of files, folders are joined, and one is never the other', async () => {
  writeFileSync(at('from/a/file'), 'new\n');
  const tar = await tarOf('a', { as: '' });
  writeFileSync(at('to/file'), 'old and longer\n');
  writeFileSync(at('to/kept'), '');
  await unpack(tar);
  assert.deepEqual([readFileSync(at('to/file'), 'utf8'), existsSync(at('to/kept'))], ['new\n', true]);
  rmSync(at('to/file'));
  symlinkSync('../outside/secret', at('to/file'));
  await unpack(tar);
  assert.equal(lstatSync(at('to/file')).isSymbolicLink(), false);
  assert.equal(readFileSync(at('outside/secret'), 'utf8'), 'secret\n');
  rmSync(at('to/file'));
  mkdirSync(at('to/file'));
  await assert.rejects(unpack(tar), /a folder is there/);
  const folders = await tarOf('a', { as: 'kept' });
  await assert.rejects(unpack(folders), /what is there is no folder/);
});

test('no link and no name leads out of the root', async () => {
  writeFileSync(at('from/a/file'), 'new\n');
  symlinkSync(at('outside'), at('to/away'));
  symlinkSync('../../../../outside', at('to/up'));
  const tar = await tarOf('a/file', { as: 'secret' });
  for (const to of ['/away', '/up']) await assert.rejects(unpack(tar, to), (error) => hasCode(error, 'EXTRACT_FAILED'));
  const sly = spawnSync('tar', ['-P', '-C', at('from/a'), '--transform=s,^file,../x,', '-c', 'file']).stdout;
  await assert.rejects(unpack(sly), (error) => hasCode(error, 'PATH_TRAVERSAL'));
  // A link that the archive itself brings.
  symlinkSync(at('outside'), at('from/a/evil'));
  const both = spawnSync('sh', [
    '-c',
    `cd ${at('from/a')}; tar -cf ../x.tar evil; tar -rf ../x.tar --transform=s,^file,evil/secret, file; cat ../x.tar`,
  ]);
  await assert.rejects(unpack(both.stdout));
  assert.equal(readFileSync(at('outside/secret'), 'utf8'), 'secret\n');
  symlinkSync(at('outside/secret'), at('from/leak'));
  await assert.rejects(tarOf('leak', { as: 'leak', follow: true }), (error) => hasCode(error, 'PATH_NOT_FOUND'));
  symlinkSync('/a/file', at('from/inside'));
  assert.ok((await tarOf('inside', { as: 'x', follow: true })).includes('new\n'));
  using root = openRoot(at('from'));
  assert.equal(statRooted(root.fd, '/inside', { follow: true })?.type, 'file');
  assert.deepEqual(statRooted(root.fd, '/inside', { follow: false })?.link, '/a/file');
  assert.equal(statRooted(root.fd, '/leak', { follow: true }), undefined);
  assert.equal(statRooted(root.fd, '/../..', { follow: true })?.type, 'directory');
  assert.equal(statRooted(root.fd, '/', { follow: false })?.type, 'directory');
});

test('an archive that is cut short is refused', async () => {
  writeFileSync(at('from/a/file'), Buffer.alloc(5000));
  const tar = await tarOf('a', { as: 'a' });
  await assert.rejects(unpack(tar.subarray(0, 3000)), (error) => hasCode(error, 'TAR_CORRUPT'));
  await assert.rejects(tarOf('none', { as: 'a' }), (error) => hasCode(error, 'PATH_NOT_FOUND'));
});
