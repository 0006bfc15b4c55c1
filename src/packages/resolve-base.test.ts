import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode, HttpClient, systemRandom, tempFolder } from '../base/index.ts';
import { MemoryBlobStore } from '../blob/index.ts';
import { fetchPackages } from './fetch-packages.ts';
import { keepNewest, markUsed } from './keep-newest.ts';
import { formatLock, lockDigest } from './lock.ts';
import { DATE, DAY, PACKAGES, rig, skip } from './mini-base.suite.ts';
import { testKey } from './openpgp.suite.ts';

const fails = async (promise: Promise<unknown>, code: string, message = /./): Promise<void> => {
  await assert.rejects(promise, (error) => hasCode(error, code) && message.test(error.message));
};

test('a base is resolved, and the same again from what is remembered', { skip }, async () => {
  using at = rig();
  const lock = await at.resolve({ packages: ['curl'] });
  assert.deepEqual(
    lock.packages.map(({ name, base = false, auto = false }) => [name, base, auto]),
    [
      ['apt', true, false],
      ['base-files', true, false],
      ['curl', false, false],
      ['dash', true, false],
      ['libc6', true, true],
      ['libcurl4', false, true],
      ['mawk', true, true],
      ['old-sh', true, false],
      ['usr-is-merged', true, false],
    ],
  );
  assert.equal(lock.epoch, DATE / 1000);
  assert.deepEqual(lock.sources[0]?.uris, [at.mirror]);
  assert.deepEqual(lock.sources[0]?.release.signers, [at.key.fingerprint]);
  assert.equal(lock.sources[0]?.keyring, at.key.keyring.toString('base64'));
  assert.equal(formatLock(await at.resolve({ packages: ['curl'] })), formatLock(lock));
  rmSync(join(at.folder, 'dists/bookworm/main'), { recursive: true });
  assert.equal(formatLock(await at.resolve({ packages: ['curl'] })), formatLock(lock));
  assert.notEqual(lockDigest(await at.resolve()), lockDigest(lock));
});

test('updates and security fixes of the same mirror count', { skip }, async () => {
  const newer = PACKAGES.filter(({ name }) => name === 'libc6').map((spec) => ({ ...spec, version: '2.36-9+deb12u1' }));
  using at = rig([{}, { suite: 'bookworm-updates', packages: newer }]);
  const lock = await at.resolve();
  const libc = lock.packages.find(({ name }) => name === 'libc6');
  assert.deepEqual([libc?.version, libc?.from], ['2.36-9+deb12u1', 1]);
  assert.deepEqual(
    lock.sources.map(({ suite }) => suite),
    ['bookworm', 'bookworm-updates'],
  );
});

test('a detached signature does, none does not', { skip }, async () => {
  {
    using at = rig([{ detached: true }]);
    assert.equal((await at.resolve()).sources[0]?.release.signers[0], at.key.fingerprint);
  }
  using at = rig([{ signed: false }]);
  await fails(at.resolve(), 'SIGNATURE_BAD', /not signed/);
});

test("somebody else's signature", { skip }, async () => {
  using at = rig();
  const other = join(at.folder, 'other.gpg');
  writeFileSync(other, testKey().keyring);
  await fails(at.resolve({ keyring: other }), 'SIGNATURE_BAD', /does not hold/);
  await fails(at.resolve({ keyring: join(at.folder, 'none') }), 'KEYRING_MISSING');
});

test('dates', { skip }, async () => {
  using at = rig([{ release: { 'Valid-Until': 'Sat, 18 Jul 2026 10:16:37 UTC' } }]);
  await fails(at.resolve({ now: DATE + 8 * DAY }), 'RELEASE_EXPIRED', /valid until Sat, 18 Jul 2026/);
  await fails(at.resolve({ now: DATE - DAY }), 'RELEASE_FROM_FUTURE');
  await fails(at.resolve({ now: DATE + 2 * DAY, conf: 'Acquire::Max-ValidTime 86400;' }), 'RELEASE_EXPIRED');
  const lock = await at.resolve({ now: DATE + 8 * DAY, conf: 'Acquire::Check-Valid-Until "false";' });
  assert.equal(lock.sources[0]?.checkValidUntil, false);
  assert.equal((await at.resolve({ now: DATE + 6 * DAY })).sources[0]?.checkValidUntil, undefined);
});

test('a suite that calls itself otherwise, that is not there, that lacks what is asked', { skip }, async () => {
  using at = rig([{ release: { Suite: 'sid', Codename: 'sid' } }, { suite: 'trixie' }]);
  await fails(at.resolve(), 'RELEASE_MISMATCH', /suite "sid"/);
  await assert.rejects(
    at.resolve({ suite: 'bokworm' }),
    (error) => hasCode(error, 'SUITE_UNKNOWN') && error.remedy === 'Use one of bookworm, trixie.',
  );
  await fails(at.resolve({ suite: 'trixie', architecture: 's390x' }), 'ARCHITECTURE_UNKNOWN', /all, amd64, arm64/);
  await fails(at.resolve({ suite: 'trixie', components: ['contrib'] }), 'COMPONENT_UNKNOWN', /it has main/);
  await fails(at.resolve({ suite: 'trixie', packages: ['crul'] }), 'PACKAGE_UNKNOWN', /"crul"/);
});

test('an index that is not the one that was signed', { skip }, async () => {
  using at = rig();
  for (const name of ['Packages', 'Packages.gz'])
    writeFileSync(join(at.folder, 'dists/bookworm/main/binary-amd64', name), 'Package: evil\n');
  await fails(at.resolve(), 'INDEX_MISMATCH');
});

test('a .deb that is not the one of the index, or gone', { skip }, async () => {
  using at = rig();
  const lock = await at.resolve();
  const blobs = new MemoryBlobStore();
  await using http = new HttpClient();
  writeFileSync(join(at.folder, lock.packages[0]?.path ?? ''), 'evil');
  await fails(fetchPackages(lock, { http, blobs }), 'PACKAGE_MISMATCH', /apt/);
  rmSync(join(at.folder, lock.packages[0]?.path ?? ''));
  await fails(fetchPackages(lock, { http, blobs }), 'PACKAGE_GONE', /package "apt" 2\.6/);
});

test('packages are fetched once, and told about', { skip }, async () => {
  using at = rig();
  const lock = await at.resolve();
  await using http = new HttpClient();
  const blobs = new MemoryBlobStore();
  const events: string[] = [];
  let bytes = 0;
  const onProgress: Parameters<typeof fetchPackages>[1]['onProgress'] = (event) => {
    if (event.kind === 'bytes') bytes += event.bytes;
    else events.push(event.kind);
  };
  await fetchPackages(lock, { http, blobs, onProgress });
  assert.equal(
    bytes,
    lock.packages.reduce((sum, { size }) => sum + size, 0),
  );
  assert.deepEqual(events.sort(), [...lock.packages.map(() => 'done'), 'start']);
  rmSync(at.folder, { recursive: true });
  await fetchPackages(lock, { http, blobs });
});

test('the cache keeps what was used last', () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  for (const [i, name] of ['a', 'b', 'c', 'd'].entries()) {
    writeFileSync(join(folder.path, name), '');
    markUsed(join(folder.path, name), DATE + i);
  }
  markUsed(join(folder.path, 'a'), DATE + 9000);
  keepNewest(folder.path, 2);
  assert.deepEqual(readdirSync(folder.path).sort(), ['a', 'd']);
  markUsed(join(folder.path, 'none'), DATE);
});
