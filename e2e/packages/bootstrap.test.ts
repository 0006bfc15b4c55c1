import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { findTool } from '../../src/base/index.ts';
import { cleaned, type Lock } from '../../src/packages/index.ts';
import { walkFolder } from '../../src/tree/index.ts';
import { describe, digestOfTree, materialise, openWorld, reasonToSkip, textOf } from './world.ts';

/** Needs root and the machine's mirror. Makes bases in a chroot and compares them with those of mmdebstrap. */
const skip = await reasonToSkip();
const world = await openWorld();
after(() => world[Symbol.asyncDispose]());

const HOOK = '/usr/share/mmdebstrap/hooks/merged-usr';

/** What is there in a base of ours and not in one of mmdebstrap's, or the other way, after both were cleaned. */
const OURS: readonly RegExp[] = [
  /^etc\/apt\/apt\.conf\.d\/docker-/,
  /^etc\/apt\/sources\.list\.d\/debian\.sources$/,
  /^etc\/dpkg\/dpkg\.cfg\.d\/docker-apt-speedup$/,
  /^usr\/sbin\/policy-rc\.d$/,
  /^var\/lib\/dpkg\/(?:available|statoverride)$/,
];
const THEIRS: readonly RegExp[] = [/^etc\/apt\/sources\.list$/];
/** apt, which mmdebstrap runs and we do not, gives these folders to its own user. */
const CHANGED: readonly RegExp[] = [/^var\/(?:lib\/apt\/lists|cache\/apt\/archives)\/partial$/];

function healthy(root: string): void {
  assert.equal(world.run(root, ['dpkg', '--audit']), '');
  assert.match(world.run(root, ['apt-get', 'check']), /Reading state information/);
  const states = world.run(root, ['dpkg-query', '-W', '-f', '${db:Status-Abbrev}\n']);
  assert.deepEqual([...new Set(states.split('\n'))], ['ii ', '']);
}

async function mmdebstrap(lock: Lock): Promise<string> {
  const root = join(world.folder, 'mmdebstrap');
  const tar = `${root}.tar`;
  const keyring = world.config.sources.find(({ signedBy }) => signedBy)?.signedBy?.files[0];
  const trust = keyring === undefined ? '' : `signed-by=${keyring} `;
  const sources = lock.sources.map(
    ({ uris, suite, components }) => `deb [${trust}check-valid-until=no] ${uris[0]} ${suite} ${components.join(' ')}\n`,
  );
  const made = spawnSync('mmdebstrap', ['--variant=minbase', `--hook-dir=${HOOK}`, lock.suite, tar, '-'], {
    input: sources.join(''),
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', SOURCE_DATE_EPOCH: String(lock.epoch) },
  });
  assert.equal(made.status, 0, made.stderr.toString().slice(-4000));
  mkdirSync(root);
  const unpacked = spawnSync('tar', ['-C', root, '-xf', tar, '--exclude=./dev/*']);
  assert.equal(unpacked.status, 0, unpacked.stderr.toString());
  return root;
}

test('bookworm: twice the same, healthy, and what mmdebstrap makes', { skip, timeout: 600_000 }, async (t) => {
  const lock = await world.lock('packages.local/debian:bookworm');
  const root = await world.make(lock);
  healthy(root);
  assert.equal(world.run(root, ['dpkg', '--verify']), '');
  const tree = cleaned(await walkFolder(root, { root: true }), lock);
  const first = await describe(tree, { times: true });
  const again = await world.make(lock, { env: { TZ: 'Asia/Tokyo' } });
  const second = await describe(cleaned(await walkFolder(again, { root: true }), lock), { times: true });
  assert.deepEqual(
    [...second].filter(([path, line]) => first.get(path) !== line),
    [],
  );
  assert.equal(digestOfTree(first), digestOfTree(second));
  for (const file of ['etc/hostname', 'etc/resolv.conf', 'var/log/dpkg.log']) assert.ok(!first.has(file), file);
  assert.ok((await textOf(tree, 'etc/shadow')).includes(`root:*:${Math.floor(lock.epoch / 86_400)}:`));

  if (findTool('mmdebstrap') === undefined || !existsSync(HOOK)) {
    t.diagnostic('not compared with mmdebstrap: it is not installed');
    return;
  }
  const other = await mmdebstrap(lock);
  assert.equal(
    readFileSync(join(root, 'var/lib/dpkg/status'), 'utf8'),
    readFileSync(join(other, 'var/lib/dpkg/status'), 'utf8'),
  );
  const ours = await describe(tree, { times: false });
  const theirs = await describe(cleaned(await walkFolder(other, { root: true }), lock), { times: false });
  const differ = (known: readonly RegExp[], paths: Iterable<string>): string[] =>
    [...paths].filter((path) => !known.some((pattern) => pattern.test(path)));
  assert.deepEqual(
    differ(
      OURS,
      [...ours.keys()].filter((path) => !theirs.has(path)),
    ),
    [],
  );
  assert.deepEqual(
    differ(
      THEIRS,
      [...theirs.keys()].filter((path) => !ours.has(path)),
    ),
    [],
  );
  const changed = [...ours].filter(([path, line]) => (theirs.get(path) ?? line) !== line).map(([path]) => path);
  assert.deepEqual(differ(CHANGED, changed), []);
});

test(
  'trixie-slim with packages on top, used as the base of an apt-get install',
  { skip, timeout: 600_000 },
  async () => {
    const lock = await world.lock('packages.local/debian:trixie-slim', { packages: ['ca-certificates', 'dash'] });
    const configured = await world.make(lock);
    healthy(configured);
    const tree = cleaned(await walkFolder(configured, { root: true }), lock);
    const paths = new Set((await tree.entries()).map(({ path }) => path));
    assert.ok(paths.has('usr/share/doc/bash/copyright') && !paths.has('usr/share/man/man1/bash.1.gz'));
    assert.ok(paths.has('etc/ssl/certs/ca-certificates.crt') && !paths.has('var/cache/strake'));
    assert.match(
      await textOf(tree, 'var/lib/apt/extended_states'),
      /^Package: openssl\nArchitecture: \S+\nAuto-Installed: 1$/m,
    );
    const root = join(world.folder, 'image');
    await materialise(tree, root);
    copyFileSync('/etc/resolv.conf', join(root, 'etc/resolv.conf'));
    const options = { network: true, env: { DEBIAN_FRONTEND: 'noninteractive' } };
    world.run(root, ['apt-get', 'update'], options);
    world.run(root, ['apt-get', 'install', '-y', '--no-install-recommends', 'hello'], options);
    assert.match(world.run(root, ['hello']), /Hello, world!/);
    assert.match(world.run(root, ['dpkg', '-s', 'hello']), /^Status: install ok installed$/m);
    assert.ok(!existsSync(join(root, 'usr/share/doc/hello/changelog.gz')));
  },
);

test('bullseye, whose /usr is not merged', { skip, timeout: 600_000 }, async () => {
  const lock = await world.lock('packages.local/debian:bullseye');
  // Its packages' scripts take time, and run on no other tree than without them: at full size only.
  const root = await world.make(lock, process.env['STRAKE_TEST_FULL'] === '1' ? {} : { mode: 'extract' });
  healthy(root);
  const entries = await cleaned(await walkFolder(root, { root: true }), lock).entries();
  assert.equal(entries.find(({ path }) => path === 'bin')?.type, 'directory');
});

test('without scripts: accounts, alternatives, and a database that apt takes', { skip, timeout: 600_000 }, async () => {
  const lock = await world.lock('packages.local/debian:bookworm');
  const root = await world.make(lock, { mode: 'extract' });
  healthy(root);
  assert.equal(world.run(root, ['dpkg', '--verify']), '');
  assert.equal(world.run(root, ['id', '-un']), 'root\n');
  assert.equal(world.run(root, ['awk', 'BEGIN { print 6 * 7 }']), '42\n');
  assert.equal(world.run(root, ['stat', '-c', '%U:%G %a', '/etc/shadow']), 'root:shadow 640\n');
});
