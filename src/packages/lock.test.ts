import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode, systemRandom, tempFolder } from '../base/index.ts';
import { formatLock, lockDigest, parseLock, readLock, writeLock, type Lock } from './lock.ts';

const digest = (n: number): `sha256:${string}` => `sha256:${String(n).repeat(64)}`;

export const sample: Lock = {
  version: 1,
  distribution: 'debian',
  suite: 'bookworm',
  variant: 'minbase',
  architecture: 'amd64',
  epoch: 1_783_764_997,
  requested: ['curl'],
  sources: [
    {
      uris: ['http://mirror/debian'],
      suite: 'bookworm',
      components: ['main'],
      release: { digest: digest(1), codename: 'bookworm', date: 1_783_764_997, signers: ['AB'] },
    },
  ],
  packages: ['apt', 'curl'].map((name, i) => ({
    name,
    version: '1:2.0-1',
    architecture: 'amd64',
    digest: digest(i + 2),
    size: 10,
    path: `pool/${name}.deb`,
    from: 0,
    source: { name, version: '1:2.0-1' },
    ...(i === 0 ? { base: true as const } : {}),
  })),
};

test('written and read again, a line for each package', () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const path = join(folder.path, 'strake.lock');
  writeLock(path, sample, { random: systemRandom });
  assert.deepEqual(readLock(path), sample);
  assert.deepEqual(readdirSync(folder.path), ['strake.lock']);
  const text = formatLock(sample);
  assert.equal(text.split('\n').filter((line) => line.includes('"pool/')).length, 2);
  assert.equal(formatLock(parseLock(text)), text);
  assert.equal(readLock(join(folder.path, 'none')), undefined);
});

test('the digest is of what decides the content, not of the evidence', () => {
  const [source] = sample.sources;
  assert.ok(source);
  const later = { ...source, release: { ...source.release, digest: digest(9), date: 1_800_000_000 } };
  assert.equal(lockDigest({ ...sample, sources: [later] }), lockDigest(sample));
  assert.notEqual(
    lockDigest({ ...sample, sources: [{ ...source, uris: ['http://other/debian'] }] }),
    lockDigest(sample),
  );
  assert.notEqual(lockDigest({ ...sample, epoch: 1 }), lockDigest(sample));
  assert.notEqual(lockDigest({ ...sample, packages: sample.packages.slice(1) }), lockDigest(sample));
  assert.equal(lockDigest(parseLock(formatLock(sample))), lockDigest(sample));
});

test('what is no lock is refused with its reason', () => {
  const [apt, curl] = sample.packages;
  assert.ok(apt && curl);
  const wrong: readonly (readonly [unknown, RegExp])[] = [
    [[], /not an object/],
    [{ ...sample, version: 2 }, /version 2/],
    [{ ...sample, variant: 'fat' }, /variant/],
    [{ ...sample, epoch: -1 }, /epoch/],
    [{ ...sample, sources: [] }, /sources/],
    [{ ...sample, sources: [{ ...sample.sources[0], uris: ['ftp://x'] }] }, /source 0.*mirror/],
    [{ ...sample, packages: [curl, apt] }, /"apt" is out of order/],
    [{ ...sample, packages: [{ ...apt, path: '../../etc/shadow' }] }, /path/],
    [{ ...sample, packages: [{ ...apt, path: '/etc/shadow' }] }, /path/],
    [{ ...sample, packages: [{ ...apt, name: 'a/b' }] }, /not a name/],
    [{ ...sample, packages: [{ ...apt, digest: 'sha256:1' }] }, /digest/],
    [{ ...sample, packages: [{ ...apt, from: 1 }] }, /from/],
    [{ ...sample, packages: [{ ...apt, version: '1;rm' }] }, /version/],
  ];
  for (const [value, message] of wrong)
    assert.throws(
      () => parseLock(JSON.stringify(value), 'x.lock'),
      (error) => hasCode(error, 'LOCK_INVALID') && message.test(error.message) && error.message.includes('"x.lock"'),
      String(message),
    );
  using folder = tempFolder(tmpdir(), systemRandom);
  const path = join(folder.path, 'lock');
  writeFileSync(path, formatLock(sample).slice(0, 500));
  assert.throws(
    () => readLock(path),
    (error) => hasCode(error, 'LOCK_INVALID'),
  );
});
