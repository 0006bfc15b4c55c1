import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { hasCode } from '../../../base/index.ts';
import type { BuiltBuildpack, ImageTarget, LayerToml } from '../model/types.ts';
import { variablesAfter } from './after-build.ts';
import {
  buildEnvironment,
  detectEnvironment,
  generateEnvironment,
  targetVariables,
  type EnvironmentBase,
} from './phase-environment.ts';
import { descriptor, element, treeOf } from './tree.suite.ts';
import {
  applyEnvFiles,
  applyUserFiles,
  baseVariables,
  readEnvFolder,
  type EnvFile,
  type Variables,
} from './variables.ts';

const target: ImageTarget = {
  os: 'linux',
  arch: 'arm64',
  variant: 'v8',
  distro: { name: 'debian', version: '12' },
};

const base = (over: Partial<EnvironmentBase> = {}): EnvironmentBase => ({
  variables: new Map([['PATH', '/bin']]),
  platformEnv: [],
  operatorEnv: [],
  target,
  execEnv: 'production',
  platformDir: '/platform',
  ...over,
});

const call = { module: descriptor(), dir: '/cnb/buildpacks/a_b/1.0.0', planPath: '/plan.toml' };
const file = (name: string, value: string): EnvFile => ({ name, value });
const of = (environment: readonly string[], name: string): string | undefined =>
  environment.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1);
const shown = (variables: Variables): Record<string, string> => Object.fromEntries(variables);

suite('what a program finds in its environment', () => {
  test('of the container’s own variables only those that are named', () => {
    const inherited =
      'HOME HOSTNAME HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy CNB_STACK_ID PATH LD_LIBRARY_PATH LIBRARY_PATH CPATH PKG_CONFIG_PATH'.split(
        ' ',
      );
    const others = ['CNB_REGISTRY_AUTH', 'SOURCE_DATE_EPOCH', 'LANG', 'CNB_USER_ID', 'DOCKER_CONFIG', 'Path'];
    const variables = baseVariables(
      [...inherited, ...others, 'X'].map((name) => (name === 'X' ? name : `${name}=v=1`)),
    );
    assert.deepEqual([...variables.keys()].sort(), inherited.sort());
    assert.equal(variables.get('HOME'), 'v=1');
  });

  test('the user’s files: the whole name, the contents as they are', async () => {
    const files = await treeOf({
      'platform/env/A.append': 'x\n',
      'platform/env/B': ' two\nlines ',
      'platform/env/sub/C': 'no',
    });
    const environment = detectEnvironment(base({ platformEnv: await readEnvFolder(files, '/platform/env') }), call);
    assert.equal(of(environment, 'A.append'), 'x\n');
    assert.equal(of(environment, 'B'), ' two\nlines ');
    assert.equal(of(environment, 'C'), undefined);
  });

  test('the user’s paths go before what is there, all else replaces it', () => {
    const variables = new Map([
      ['PATH', '/bin'],
      ['HOME', '/root'],
    ]);
    const files = ['PATH', 'LD_LIBRARY_PATH', 'LIBRARY_PATH', 'CPATH', 'PKG_CONFIG_PATH', 'HOME'].map((name) =>
      file(name, '/user'),
    );
    assert.deepEqual(shown(applyUserFiles(variables, files)), {
      PATH: '/user:/bin',
      HOME: '/user',
      LD_LIBRARY_PATH: '/user',
      LIBRARY_PATH: '/user',
      CPATH: '/user',
      PKG_CONFIG_PATH: '/user',
    });
  });

  test('clear-env keeps the user’s variables away, not the operator’s', () => {
    const given = base({ platformEnv: [file('U', '1'), file('PATH', '/u')], operatorEnv: [file('O', '2')] });
    for (const make of [
      detectEnvironment,
      (b: EnvironmentBase, c: typeof call) => buildEnvironment(b, { ...c, layersDir: '/l' }),
    ]) {
      const environment = make(given, { ...call, module: descriptor({ clearEnv: true }) });
      assert.equal(of(environment, 'U'), undefined);
      assert.equal(of(environment, 'PATH'), '/bin');
      assert.equal(of(environment, 'O'), '2');
    }
  });

  test('the operator’s files come after the user’s, by the rules of suffixes, and without one as a default', () => {
    const environment = detectEnvironment(
      base({
        platformEnv: [file('A', 'user'), file('B', 'user'), file('C', 'user')],
        operatorEnv: [
          file('A', 'operator'),
          file('B.override', 'operator'),
          file('C.delim', '-'),
          file('C.prepend', 'operator'),
          file('D', 'operator'),
        ],
      }),
      call,
    );
    assert.deepEqual(
      ['A', 'B', 'C', 'D'].map((name) => of(environment, name)),
      ['user', 'operator', 'operator-user', 'operator'],
    );
  });

  test('the folder of the module; an extension has another name for it', () => {
    assert.equal(of(detectEnvironment(base(), call), 'CNB_BUILDPACK_DIR'), call.dir);
    const extension = detectEnvironment(base(), { ...call, module: descriptor({ kind: 'extension' }) });
    assert.equal(of(extension, 'CNB_EXTENSION_DIR'), call.dir);
    assert.equal(of(extension, 'CNB_BUILDPACK_DIR'), undefined);
  });

  test('paths as variables since Buildpack API 0.8', () => {
    for (const [api, there] of [
      ['0.7', false],
      ['0.8', true],
    ] as const) {
      const given = { ...call, module: descriptor({ api }), layersDir: '/layers/a_b' };
      const detect = detectEnvironment(base(), given);
      assert.equal(of(detect, 'CNB_PLATFORM_DIR'), there ? '/platform' : undefined);
      assert.equal(of(detect, 'CNB_BUILD_PLAN_PATH'), there ? '/plan.toml' : undefined);
      const build = buildEnvironment(base(), given);
      assert.equal(of(build, 'CNB_PLATFORM_DIR'), there ? '/platform' : undefined);
      assert.equal(of(build, 'CNB_BP_PLAN_PATH'), there ? '/plan.toml' : undefined);
      assert.equal(of(build, 'CNB_LAYERS_DIR'), there ? '/layers/a_b' : undefined);
      assert.equal(of(build, 'CNB_BUILD_PLAN_PATH'), undefined);
    }
  });

  test('bin/generate has its output folder', () => {
    const environment = generateEnvironment(base(), {
      ...call,
      module: descriptor({ kind: 'extension', api: '0.9' }),
      outputDir: '/out',
    });
    assert.deepEqual(environment, [
      'PATH=/bin',
      'CNB_BP_PLAN_PATH=/plan.toml',
      `CNB_EXTENSION_DIR=${call.dir}`,
      'CNB_OUTPUT_DIR=/out',
      'CNB_PLATFORM_DIR=/platform',
    ]);
  });

  test('the target since Buildpack API 0.10, what is not known left out', () => {
    const names = (api: string): string[] =>
      detectEnvironment(base(), { ...call, module: descriptor({ api }) }).filter((line) =>
        line.startsWith('CNB_TARGET_'),
      );
    assert.deepEqual(names('0.9'), []);
    assert.deepEqual(names('0.10'), [
      'CNB_TARGET_OS=linux',
      'CNB_TARGET_ARCH=arm64',
      'CNB_TARGET_ARCH_VARIANT=v8',
      'CNB_TARGET_DISTRO_NAME=debian',
      'CNB_TARGET_DISTRO_VERSION=12',
    ]);
    assert.deepEqual(targetVariables({ os: 'linux', arch: 'amd64', variant: '' }), {
      CNB_TARGET_OS: 'linux',
      CNB_TARGET_ARCH: 'amd64',
    });
  });

  test('the execution environment since Buildpack API 0.12', () => {
    const execEnv = (api: string): string | undefined =>
      of(detectEnvironment(base({ execEnv: 'test' }), { ...call, module: descriptor({ api }) }), 'CNB_EXEC_ENV');
    assert.equal(execEnv('0.11'), undefined);
    assert.equal(execEnv('0.12'), 'test');
  });

  test('what strake gives cannot be replaced by a user’s file, and stands there once', () => {
    const environment = detectEnvironment(
      base({
        platformEnv: [file('CNB_TARGET_OS', 'plan9'), file('X', '1')],
        extra: { SERVICE_BINDING_ROOT: '/platform/bindings' },
      }),
      call,
    );
    assert.equal(of(environment, 'CNB_TARGET_OS'), 'linux');
    assert.equal(of(environment, 'SERVICE_BINDING_ROOT'), '/platform/bindings');
    const names = environment.map((line) => line.split('=')[0]);
    assert.equal(new Set(names).size, names.length);
  });
});

suite('files of variables', () => {
  const apply = (old: Record<string, string>, ...files: EnvFile[]): Record<string, string> =>
    shown(applyEnvFiles(new Map(Object.entries(old)), { files, default: 'override' }));

  test('the name goes up to the first point, the rest is what is done', () => {
    assert.deepEqual(apply({ A: '1' }, file('A.prepend', 'x')), { A: 'x1' });
    assert.deepEqual(apply({ A: '1' }, file('A.append', 'x')), { A: '1x' });
    assert.deepEqual(apply({ A: '1' }, file('A.override', 'x')), { A: 'x' });
    assert.deepEqual(apply({ A: '1' }, file('A.default', 'x')), { A: '1' });
    assert.deepEqual(apply({ A: '' }, file('A.default', 'x')), { A: 'x' });
    assert.deepEqual(apply({}, file('A.default', 'x')), { A: 'x' });
    assert.deepEqual(apply({ A: '1' }, file('A', 'x')), { A: 'x' });
  });

  test('a path variable without a suffix is overridden as any other', () => {
    assert.deepEqual(apply({ PATH: '/bin' }, file('PATH', '/x')), { PATH: '/x' });
  });

  test('the delimiter stands between two values only, and is none where none is given', () => {
    const delim = file('A.delim', ':');
    assert.deepEqual(apply({ A: '1' }, file('A.append', 'y'), delim, file('A.prepend', 'x')), { A: 'x:1:y' });
    assert.deepEqual(apply({}, delim, file('A.prepend', 'x')), { A: 'x' });
    assert.deepEqual(apply({}, delim, file('A.append', 'x')), { A: 'x' });
    assert.deepEqual(apply({ B: '1' }, delim, file('B.append', 'x')), { B: '1x' });
    assert.deepEqual(apply({}, delim), {});
  });

  test('what is of another suffix, or has no name, is passed over', () => {
    assert.deepEqual(apply({ A: '1' }, file('A.unknown', 'x'), file('A.append.more', 'x'), file('.append', 'x')), {
      A: '1',
    });
  });

  test('the files of a folder in the order of their names; folders in it are passed over, links to files followed', async () => {
    const files = await treeOf({
      'e/B.append': '2',
      'e/A': '1',
      'e/dir/X': 'no',
      'e/C': { link: '../there' },
      'e/D': { link: 'dir' },
      'e/E': { link: 'nowhere' },
      there: '3',
    });
    assert.deepEqual(await readEnvFolder(files, '/e'), [file('A', '1'), file('B.append', '2'), file('C', '3')]);
    assert.deepEqual(await readEnvFolder(files, '/nothing'), []);
  });

  test('a value with a NUL byte is refused', async () => {
    const files = await treeOf({ 'e/A': new Uint8Array([65, 0, 66]) });
    await assert.rejects(
      readEnvFolder(files, '/e'),
      (error) => hasCode(error, 'CNB_FILE_INVALID') && error.message.includes('"/e/A"'),
    );
  });
});

suite('from one buildpack to the next', () => {
  const toml = (over: Partial<LayerToml>): LayerToml => ({
    launch: false,
    build: false,
    cache: false,
    metadata: {},
    execEnv: [],
    ...over,
  });
  const built = (layers: Record<string, Partial<LayerToml>>): BuiltBuildpack => ({
    element: element('a/b'),
    layers: Object.entries(layers).map(([name, over]) => ({ name, toml: toml(over), hasFolder: true })),
    launch: { labels: [], processes: [], slices: [] },
    unmet: [],
  });
  const after = async (
    record: Record<string, string>,
    layers: Record<string, Partial<LayerToml>>,
    old: Record<string, string> = {},
  ): Promise<Record<string, string>> =>
    shown(
      await variablesAfter(new Map(Object.entries(old)), {
        files: await treeOf(record),
        layersDir: '/layers',
        built: built(layers),
      }),
    );

  test('folders of a build layer go before the variables that name such', async () => {
    const record = Object.fromEntries(
      ['bin', 'lib', 'include', 'pkgconfig', 'share'].map((folder) => [`layers/a_b/l/${folder}/f`, '']),
    );
    assert.deepEqual(await after(record, { l: { build: true } }, { PATH: '/bin', CPATH: '' }), {
      PATH: '/layers/a_b/l/bin:/bin',
      LD_LIBRARY_PATH: '/layers/a_b/l/lib',
      LIBRARY_PATH: '/layers/a_b/l/lib',
      CPATH: '/layers/a_b/l/include',
      PKG_CONFIG_PATH: '/layers/a_b/l/pkgconfig',
    });
  });

  test('a layer that is not for the build gives nothing', async () => {
    const record = { 'layers/a_b/l/bin/f': '', 'layers/a_b/l/env/A': '1', 'layers/a_b/l/env.build/B': '1' };
    assert.deepEqual(await after(record, { l: { launch: true, cache: true } }), {});
  });

  test('first the folders, then env, then env.build; env.launch is not for the build', async () => {
    const record = {
      'layers/a_b/l/bin/f': '',
      'layers/a_b/l/env/PATH.append': ':1',
      'layers/a_b/l/env.build/PATH.append': ':2',
      'layers/a_b/l/env.build/A.default': 'build',
      'layers/a_b/l/env/A.default': 'both',
      'layers/a_b/l/env.launch/A': 'launch',
      'layers/a_b/l/env.launch/web/A': 'web',
    };
    assert.deepEqual(await after(record, { l: { build: true } }), { PATH: '/layers/a_b/l/bin:1:2', A: 'both' });
  });

  test('layers in the order of their names', async () => {
    const record = {
      'layers/a_b/a/bin/f': '',
      'layers/a_b/a/env/X.append': 'a',
      'layers/a_b/a/env/Y': 'a',
      'layers/a_b/b/bin/f': '',
      'layers/a_b/b/env/X.append': 'b',
      'layers/a_b/b/env/Y': 'b',
    };
    assert.deepEqual(await after(record, { a: { build: true }, b: { build: true } }, { PATH: '/bin' }), {
      PATH: '/layers/a_b/b/bin:/layers/a_b/a/bin:/bin',
      X: 'ab',
      Y: 'b',
    });
  });

  test('what is no folder is none, and a delimiter is that of its own folder', async () => {
    const record = {
      'layers/a_b/l/env/A.delim': ':',
      'layers/a_b/l/env/A.append': '1',
      'layers/a_b/l/env.build/A.append': '2',
    };
    assert.deepEqual(await after(record, { l: { build: true } }, { A: '0' }), { A: '0:12' });
  });
});
