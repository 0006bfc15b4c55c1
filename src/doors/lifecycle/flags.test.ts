import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { hasCode } from '../../base/index.ts';
import { PLATFORM_APIS } from '../../frontend/buildpack/index.ts';
import { PHASE_NAMES, type PhaseName } from './flag.ts';
import { FLAGS, flagsOf } from './flags.ts';
import { helpOf } from './help.ts';
import { Inputs } from './inputs.ts';
import { parseFlags } from './parse-flags.ts';

/** What the specification gives each program (platform.md of 0.15, Usage), but -kaniko-dir, which no lifecycle has. */
const SPECIFIED: Readonly<Record<PhaseName, string>> = {
  analyzer:
    'analyzed cache-image daemon gid insecure-registry launch-cache layers layout layout-dir log-level previous-image run run-image skip-layers tag uid',
  detector:
    'analyzed app build-config buildpacks extensions generated group layers log-level order plan platform run system',
  restorer:
    'analyzed build-image cache-dir cache-image daemon generated gid group insecure-registry layers layout layout-dir log-level run skip-layers uid',
  extender: 'analyzed app buildpacks extended generated gid group kind layers log-level plan platform uid',
  builder: 'analyzed app build-config buildpacks group layers log-level plan platform',
  exporter:
    'analyzed app cache-dir cache-image daemon extended gid group insecure-registry launch-cache launcher launcher-sbom layers layout layout-dir log-level parallel process-type project-metadata report run uid',
  creator:
    'app build-config buildpacks cache-dir cache-image daemon gid insecure-registry launch-cache launcher launcher-sbom layers layout layout-dir log-level order parallel platform previous-image process-type project-metadata report run run-image skip-restore system tag uid',
  rebaser: 'daemon force gid insecure-registry log-level previous-image report run-image uid',
};

const inputsOf = (
  argv: readonly string[],
  o: { phase?: PhaseName; api?: string; env?: Record<string, string> } = {},
) => {
  const { phase = 'creator', api = '0.15', env = {} } = o;
  const parsed = parseFlags(argv, { flags: flagsOf(phase, api), program: phase });
  return new Inputs(parsed, { phase, api, env, cwd: '/here' });
};

const refused = (argv: readonly string[], o: Parameters<typeof inputsOf>[1] = {}): string => {
  try {
    inputsOf(argv, o);
  } catch (error) {
    assert.ok(hasCode(error, 'LIFECYCLE_FLAG_INVALID'));
    return (error as Error).message;
  }
  throw new assert.AssertionError({ message: `${argv.join(' ')} is accepted` });
};

suite('flags of the phases', () => {
  test('those of the specification, each shown in the help', () => {
    for (const phase of PHASE_NAMES) {
      const names = new Set(flagsOf(phase, '0.15').map(({ name }) => name));
      const missing = SPECIFIED[phase].split(' ').filter((name) => !names.has(name));
      assert.deepEqual(missing, [], phase);
      const help = helpOf(phase, '', '0.15');
      for (const name of names) assert.ok(help.includes(`\n  -${name} `), `${phase} -${name}`);
    }
  });

  test('a name is in the table once for each phase', () => {
    const all = FLAGS.flatMap(({ name, phases }) => phases.map((phase) => `${phase} -${name}`));
    assert.deepEqual(
      all.filter((one, at) => all.indexOf(one) !== at),
      [],
    );
  });

  test('a Platform API has those that it brought', () => {
    const from: readonly (readonly [PhaseName, string, string])[] = [
      ['analyzer', 'skip-layers', '0.9'],
      ['analyzer', 'launch-cache', '0.9'],
      ['detector', 'generated', '0.10'],
      ['restorer', 'build-image', '0.10'],
      ['builder', 'build-config', '0.11'],
      ['exporter', 'launcher-sbom', '0.11'],
      ['rebaser', 'previous-image', '0.11'],
      ['rebaser', 'force', '0.12'],
      ['creator', 'run', '0.12'],
      ['exporter', 'layout', '0.12'],
      ['exporter', 'parallel', '0.13'],
      ['analyzer', 'insecure-registry', '0.13'],
      ['restorer', 'run', '0.14'],
      ['detector', 'system', '0.15'],
    ];
    const has = (phase: PhaseName, api: string, name: string): boolean =>
      flagsOf(phase, api).some((one) => one.name === name);
    for (const [phase, name, api] of from) {
      const before = PLATFORM_APIS[PLATFORM_APIS.indexOf(api) - 1]!;
      assert.deepEqual([has(phase, before, name), has(phase, api, name)], [false, true], `${phase} -${name}`);
    }
    assert.deepEqual([has('creator', '0.11', 'stack'), has('creator', '0.12', 'stack')], [true, false]);
  });

  test("Go's syntax", () => {
    const inputs = inputsOf(
      [
        '-app',
        'a',
        '--layers=/l',
        '-tag=x/1',
        '-tag',
        'x/2',
        '-skip-restore',
        '-parallel=F',
        '-uid=7',
        '-gid',
        '8',
        'image',
        '-app=b',
      ],
      {},
    );
    assert.equal(inputs.path('app'), '/here/a');
    assert.equal(inputs.path('report'), '/l/report.toml');
    assert.deepEqual(inputs.list('tag'), ['x/1', 'x/2']);
    assert.deepEqual([inputs.bool('skip-restore'), inputs.bool('parallel')], [true, false]);
    assert.deepEqual(inputs.ids(), { uid: 7, gid: 8 });
    assert.deepEqual(inputs.words, ['image', '-app=b']);
    assert.deepEqual(inputsOf(['-app=a', '--', '-app=b']).words, ['-app=b']);
    assert.equal(inputsOf(['-app=a=b']).text('app'), 'a=b');
    assert.deepEqual(inputsOf(['-app', '-x', '-']).words, ['-']);
  });

  test('what Go refuses', () => {
    assert.match(refused(['-nothing']), /flag provided but not defined: -nothing/);
    assert.match(refused(['-app']), /flag needs an argument: -app/);
    assert.match(refused(['-parallel=maybe']), /invalid boolean value "maybe" for -parallel/);
    assert.match(refused(['---app=x']), /bad flag syntax: ---app=x/);
    assert.match(refused(['-=x']), /bad flag syntax: -=x/);
    assert.match(refused(['-parallel'], { api: '0.12' }), /not defined: -parallel/);
  });

  test('a flag, else the environment, else the default', () => {
    const env = { CNB_APP_DIR: '/env', CNB_LAYERS_DIR: '/l', CNB_INSECURE_REGISTRIES: 'a,b', CNB_SKIP_RESTORE: 'true' };
    assert.equal(inputsOf(['-app=/flag'], { env }).path('app'), '/flag');
    const inputs = inputsOf([], { env });
    assert.equal(inputs.path('app'), '/env');
    assert.equal(inputs.path('report'), '/l/report.toml');
    assert.deepEqual(inputs.list('insecure-registry'), ['a', 'b']);
    assert.equal(inputs.bool('skip-restore'), true);
    assert.equal(inputsOf([]).path('app'), '/workspace');
    assert.equal(inputsOf([]).orderPath(), '/cnb/order.toml');
    assert.equal(inputsOf(['-order=x']).orderPath(), '/here/x');
    assert.equal(inputsOf([], { env: { CNB_APP_DIR: '' } }).path('app'), '/workspace');
  });

  test('the execution environment is one of Platform API 0.15', () => {
    assert.equal(inputsOf([]).execEnv, 'production');
    assert.equal(inputsOf([], { env: { CNB_EXEC_ENV: 'test' } }).execEnv, 'test');
    assert.equal(inputsOf([], { api: '0.14', env: { CNB_EXEC_ENV: 'test' } }).execEnv, '');
  });

  test('whatever is written, it is read or refused', () => {
    const word = fc.oneof(
      fc.constantFrom('-app', '--app=', '-tag=x', '-skip-restore', '--', '-', 'image', '-uid'),
      fc.string({ maxLength: 12 }),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
        try {
          inputsOf(argv);
        } catch (error) {
          assert.ok(hasCode(error, 'LIFECYCLE_FLAG_INVALID'));
        }
      }),
    );
  });
});
