import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LEGACY_COMMANDS, withoutLegacy } from './aliases.ts';
import { BUILD_FLAGS, GLOBAL_FLAGS, INSPECT_FLAGS, REBASE_FLAGS, SBOM_FLAGS } from './flags.ts';
import { parseFlags } from './parse-flags.ts';
import { passedOn } from './passed-on.ts';
import { planPackBuild, type BuildPlan } from './plan-build.ts';

const plan = (
  argv: readonly string[],
  o: { daemon?: string | undefined; config?: { pullPolicy?: string } } = {},
): BuildPlan =>
  planPackBuild(parseFlags(argv, BUILD_FLAGS), {
    daemon: o.daemon,
    config: { defaultBuilder: 'set', ...o.config },
  });

test('flags are read as Go reads them', () => {
  const flags = [...BUILD_FLAGS, ...GLOBAL_FLAGS];
  const { values, words } = parseFlags(
    ['-qv', 'app', '-Bone', '-e=A=1', '--env', 'B', '--publish=false', '--env=C=x=y', '--', '-z'],
    flags,
  );
  assert.deepEqual(Object.fromEntries(values), {
    quiet: ['true'],
    verbose: ['true'],
    builder: ['one'],
    env: ['A=1', 'B', 'C=x=y'],
    publish: ['false'],
  });
  assert.deepEqual(words, ['app', '-z']);
  for (const argv of [['--biulder', 'x'], ['--builder'], ['-Z'], ['--publish=perhaps']])
    assert.throws(() => parseFlags(argv, flags), { code: 'PACK_FLAG_INVALID' });
  assert.throws(() => parseFlags(['--biulder', 'x'], flags), { remedy: 'Did you mean --builder?' });
});

test('pack build is a build of strake, with the same flags', () => {
  const { argv, notes, image } = plan(
    (
      'app:1 -t app:2 -p src -B builder -b a,b -b c -e A=-1 --env-file f --run-image run --network bridge ' +
      '--pull-policy never --clear-cache -D web'
    ).split(' '),
  );
  assert.equal(
    argv.join(' '),
    'build --by-buildpacks --builder=builder --buildpack=a,b --buildpack=c --env=A=-1 --env-file=f ' +
      '--default-process=web --clear-cache --run-image=run --pull-policy=never --network default -t app:1 -t app:2 -o type=image -- src',
  );
  assert.equal(image, 'app:1');
  assert.deepEqual(notes, [
    'no Docker or Podman answers: the image goes into the store of strake ("strake run", "strake push")',
  ]);
});

test('the image goes to the registry, the daemon and the store, or a layout', () => {
  const outputs = (argv: readonly string[], daemon?: string): string =>
    plan(argv, { daemon })
      .argv.filter((_, at, all) => all[at - 1] === '-o' || all[at - 1] === '-t')
      .join(' ');
  assert.equal(outputs(['r/app', '--publish'], '/d.sock'), 'r/app type=registry');
  assert.equal(outputs(['r/app'], '/d.sock'), 'r/app type=image type=docker-daemon,socket=/d.sock');
  assert.equal(outputs(['r/app'], '/a,b'), 'r/app type=image type=docker-daemon,"socket=/a,b"');
  assert.equal(outputs(['oci:/out', '-t', 'x'], '/d.sock'), 'type=oci,tar=false,dest=/out');
});

test('images are asked for anew unless a flag or the configuration says otherwise', () => {
  assert.ok(plan(['app']).argv.join(' ').includes('--pull-policy always'));
  assert.ok(!plan(['app'], { config: { pullPolicy: 'never' } }).argv.includes('--pull-policy'));
});

test('caches: images and names of the store, the rest has no effect and is said to', () => {
  const words = (text: string): string => plan(['app', '--cache', text]).argv.slice(2, -8).join(' ');
  assert.equal(words('type=build;format=image;name=r/cache'), '--cache-image r/cache');
  assert.equal(words('type=build;format=volume;name=mine;type=launch;format=volume;name=other'), '--cache-volume mine');
  assert.equal(words('type=build;format=volume'), '');
  assert.equal(words('type=build;format=bind;source=/c'), '--cache type=build;format=bind;source=/c');
  assert.match(
    plan(['app', '--cache', 'type=launch;format=volume;name=x']).notes[0] ?? '',
    /type=launch has no effect/,
  );
  for (const text of ['type=other', 'format=tar', 'type=build;format=image', 'type=build;format=bind', 'path=/c', 'x'])
    assert.throws(() => plan(['app', '--cache', text]), { code: 'PACK_FLAG_INVALID' }, text);
});

test('what has lost its meaning is accepted and said to; what cannot be done is refused', () => {
  const { argv, notes } = plan(['app', '--trust-builder', '--uid', '5', '--lifecycle-image', 'x', '--sparse=false']);
  assert.deepEqual(argv, plan(['app']).argv);
  assert.deepEqual(
    notes.slice(0, -1).map((note) => note.replace(/: .*/, '')),
    ['--lifecycle-image has no effect', '--trust-builder has no effect', '--uid has no effect'],
  );
  assert.ok(plan(['app', '--volume', '/a:/b']).argv.includes('--volume=/a:/b'));
  assert.throws(() => plan(['app', '--network', 'mine']), { code: 'PACK_UNSUPPORTED' });
  assert.throws(() => plan([]), { code: 'PACK_FLAG_INVALID' });
  assert.throws(() => plan(['a', 'b']), { code: 'PACK_FLAG_INVALID' });
});

test('flags of the other commands', () => {
  const passed = (argv: readonly string[], flags: typeof BUILD_FLAGS): readonly string[] =>
    passedOn(parseFlags(argv, flags), flags).argv;
  assert.deepEqual(passed(['app', '--publish', '--force', '--run-image', 'r'], REBASE_FLAGS), [
    '--publish',
    '--run-image=r',
    '--force',
  ]);
  assert.deepEqual(passed(['-o', 'json', 'app'], INSPECT_FLAGS), ['--output=json']);
  assert.deepEqual(passed(['--remote', '-o', 'out', 'app'], SBOM_FLAGS), ['--remote', '--output-dir=out']);
  assert.deepEqual(passed(['--bom', '-o', 'yaml', 'app'], INSPECT_FLAGS), ['--bom', '--output=yaml']);
});

test('commands by their old names', () => {
  assert.deepEqual(withoutLegacy(['--no-color', 'trust-builder', 'x']), {
    argv: ['--no-color', 'config', 'trusted-builders', 'add', 'x'],
    warning: "Command 'pack trust-builder' has been deprecated, please use 'pack config trusted-builders add' instead",
  });
  assert.deepEqual(withoutLegacy(['build', 'create-builder']), { argv: ['build', 'create-builder'] });
  assert.equal(LEGACY_COMMANDS.length, 19);
});
