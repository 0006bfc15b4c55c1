import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Database, systemRandom } from '../base/index.ts';
import { parseAptConf } from '../packages/apt-settings.ts';
import { writeArchive } from '../packages/mini-archive.suite.ts';
import { DATE, DAY, PACKAGES, rig, skip } from '../packages/mini-base.suite.ts';
import { BaseMaker } from './base-maker.ts';
import type { Session } from './session.ts';
import { SourceRunner, type ResolvedSource, type SourceRunnerOptions } from './source-runner.ts';

const REFERENCE = 'packages.local/debian:bookworm';

test('a base of packages stays what it is until a build is to pull', { skip }, async () => {
  using at = rig();
  using database = Database.open(':memory:');
  const clock = { now: () => DATE + DAY };
  const apt = async () => ({ settings: parseAptConf(['']), sources: [], trusted: [], logins: [] });
  const settings = {
    apt,
    named: new Map(),
    mirror: at.mirror,
    keyring: at.keyring,
    cache: join(at.folder, '../cache'),
  };
  const shared = { database, clock, random: systemRandom, scratch: join(at.folder, '../scratch') };
  const bases = new BaseMaker({ ...shared, settings } as unknown as ConstructorParameters<typeof BaseMaker>[0]);
  // What other kinds of sources need is not asked for.
  const runner = new SourceRunner({ ...shared, bases } as unknown as SourceRunnerOptions);
  const resolve = async (pull?: 'always'): Promise<ResolvedSource> => {
    const platform = { os: 'linux', architecture: 'amd64' };
    const source = { type: 'packages', reference: REFERENCE, platform, pull } as const;
    const quiet = { onNote: () => undefined, onProgress: () => undefined };
    return runner.resolve({ kind: 'source', source }, { session: {} as Session, ...quiet });
  };
  const first = await resolve();
  const newer = PACKAGES.map((spec) => (spec.name === 'libc6' ? { ...spec, version: '2.36-9+deb12u9' } : spec));
  writeArchive(at.folder, { suite: 'bookworm', packages: newer, key: at.key });
  assert.equal((await resolve()).digest, first.digest);
  const pulled = await resolve('always');
  assert.notEqual(pulled.digest, first.digest);
  // Who pulled and who did not have the same step.
  const again = await resolve();
  assert.deepEqual(again.source, pulled.source);
  assert.ok(again.source.source.type === 'packages' && !('pull' in again.source.source));
});
