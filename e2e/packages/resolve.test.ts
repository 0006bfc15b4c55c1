import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findTool, mapBounded, runTool } from '../../src/base/index.ts';
import type { Lock } from '../../src/packages/index.ts';
import { compareVersions } from '../../src/packages/version.ts';
import { openWorld, reasonToSkip } from './world.ts';

/** Needs the machine's mirror; apt and dpkg say what is right. */
const skip = await reasonToSkip();
const world = await openWorld();
after(() => world[Symbol.asyncDispose]());

/** Those with alternatives, virtual packages and versions to choose from; the others take longer and choose less. */
const ROOTS = [
  'apache2 default-jre-headless docker.io php-fpm postgresql python3-pip systemd',
  ...(process.env['STRAKE_TEST_FULL'] === '1'
    ? [
        'build-essential chromium curl ffmpeg git golang-go mariadb-server nginx nodejs openssh-server qemu-system-x86 redis-server ruby vim',
      ]
    : []),
].flatMap((names) => names.split(' '));

/** An apt of its own, which has nothing installed and uses the sources of a lock. */
async function privateApt(lock: Lock): Promise<(packages: readonly string[]) => Promise<string[]>> {
  const folder = join(world.folder, 'apt');
  for (const part of ['lists/partial', 'cache/archives/partial', 'etc'])
    mkdirSync(join(folder, part), { recursive: true });
  writeFileSync(join(folder, 'status'), '');
  const sources = lock.sources.map(
    ({ uris, suite, components }) =>
      `deb [trusted=yes check-valid-until=no check-date=no] ${uris[0]} ${suite} ${components.join(' ')}\n`,
  );
  writeFileSync(join(folder, 'sources.list'), sources.join(''));
  const settings = {
    'Dir::State::lists': `${folder}/lists`,
    'Dir::State::status': `${folder}/status`,
    'Dir::State::extended_states': `${folder}/extended`,
    'Dir::Cache': `${folder}/cache`,
    'Dir::Cache::pkgcache': 'pkgcache.bin',
    'Dir::Cache::srcpkgcache': 'srcpkgcache.bin',
    'Dir::Etc::sourcelist': `${folder}/sources.list`,
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::Etc::preferencesparts': '/dev/null',
    'APT::Architecture': lock.architecture,
    'APT::Install-Recommends': 'false',
    'APT::Sandbox::User': 'root',
    'Acquire::Languages': 'none',
    'Debug::NoLocking': 'true',
  };
  const apt = async (args: readonly string[]): Promise<string> => {
    const options = Object.entries(settings).map(([name, value]) => `-o${name}=${value}`);
    return (await runTool('apt-get', [...options, ...args])).stdout.toString();
  };
  await apt(['update']);
  return async (packages) => {
    const printed = await apt(['install', '-y', '-qq', '--print-uris', ...packages]);
    return [...printed.matchAll(/^'[^']*' (\S+)_(\S+)_\S+\.deb /gm)]
      .map(([, name, version]) => `${name} ${decodeURIComponent(version ?? '')}`)
      .sort();
  };
}

test('the same packages as apt would install', { skip, timeout: 600_000 }, async () => {
  const base = await world.lock('packages.local/debian:bookworm');
  const apt = await privateApt(base);
  const wanted = base.packages.filter(({ auto }) => auto !== true).map(({ name }) => name);
  const shape = (lock: Lock): string[] => lock.packages.map(({ name, version }) => `${name} ${version}`).sort();
  assert.deepEqual(shape(base), await apt([...wanted, 'usr-is-merged']));
  await mapBounded(ROOTS, 2, async (root) => {
    const lock = await world.lock('packages.local/debian:bookworm', { packages: [root] });
    assert.deepEqual(shape(lock), await apt([...wanted, 'usr-is-merged', root]), root);
  });
});

test("the order of versions is dpkg's", { skip: findTool('dpkg') === undefined && 'needs dpkg' }, () => {
  const parts = ['0', '1', '9', '10', '~', '~~', 'a', 'Z', '.', '+', 'rc', '-', '-1', ':'];
  let state = 20_260_711;
  const next = (limit: number): number => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * limit);
  };
  const version = (): string =>
    `${next(4) === 0 ? `${next(3)}:` : ''}1${Array.from({ length: next(5) }, () => parts[next(13)]).join('')}`.replace(
      /-$/,
      '-0',
    );
  const pairs = Array.from({ length: 300 }, () => [version(), version()] as const).filter(
    ([a, b]) => !/:.*:/.test(a + b),
  );
  const script =
    'while read a b; do if dpkg --compare-versions "$a" lt "$b"; then echo -1; elif dpkg --compare-versions "$a" gt "$b"; then echo 1; else echo 0; fi; done';
  const { stdout } = spawnSync('sh', ['-c', script], { input: pairs.map((pair) => `${pair.join(' ')}\n`).join('') });
  const said = stdout.toString().trim().split('\n').map(Number);
  assert.equal(said.length, pairs.length);
  for (const [i, [a, b]] of pairs.entries())
    assert.equal(Math.sign(compareVersions(a, b)), said[i], `${a} against ${b}`);
});
