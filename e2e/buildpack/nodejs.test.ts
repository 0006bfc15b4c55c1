import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { storeWithBuilder, type TestStore } from '../lib/store.ts';
import { NpmStandIn, noNpm } from './npm-stand-in.ts';
import { runPhases, type PhaseResult } from './phases.ts';

/** The application: one dependency to run, one to build, and a script that uses it. */
const MANIFEST = {
  name: 'app',
  version: '1.0.0',
  scripts: { start: 'node server.js --quiet', build: 'shout built', test: 'shout tested' },
  engines: { node: '>=20' },
  dependencies: { '@test/greets': '^1.0.0' },
  devDependencies: { shout: '2.0.0' },
};

suite('strake/nodejs in the build image', { skip: noNpm ?? false }, () => {
  let store: TestStore;
  let registry: NpmStandIn;
  let app: string;
  let node: string;
  let first: PhaseResult;

  const build = (more: { restored?: string; execEnv?: string; env?: Record<string, string> } = {}) =>
    runPhases(store, {
      ...more,
      buildpack: 'nodejs',
      app,
      // Of npm there is the machine's own, whichever that is.
      env: { NPM_CONFIG_REGISTRY: registry.url, BP_NPM_VERSION: 'latest', ...more.env },
    });

  before(async () => {
    store = await storeWithBuilder();
    registry = await NpmStandIn.open(join(store.work, 'npm'));
    node = registry.addNode();
    registry.addNpm();
    const greets = registry.add(
      { name: '@test/greets', version: '1.0.1', license: 'MIT' },
      { 'index.js': 'module.exports = () => "hello";' },
    );
    const shout = registry.add(
      { name: 'shout', version: '2.0.0', bin: { shout: 'bin.js' } },
      {
        'bin.js': '#!/usr/bin/env node\nrequire("fs").writeFileSync("shouted.txt", process.argv[2] + process.version);',
      },
    );
    app = join(store.work, 'app');
    mkdirSync(app);
    const packages = {
      '': { ...MANIFEST, scripts: undefined },
      'node_modules/@test/greets': { version: '1.0.1', integrity: greets.integrity, license: 'MIT' },
      'node_modules/shout': { version: '2.0.0', integrity: shout.integrity, dev: true, bin: { shout: 'bin.js' } },
    };
    const lock = { name: 'app', version: '1.0.0', lockfileVersion: 3, requires: true, packages };
    const files = {
      'package.json': JSON.stringify(MANIFEST),
      'package-lock.json': JSON.stringify(lock),
      'server.js': 'console.log(require("@test/greets")())',
    };
    for (const [name, content] of Object.entries(files)) writeFileSync(join(app, name), content);
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    store?.[Symbol.dispose]();
  });

  test('installs, builds and prunes', async () => {
    registry.server.asked();
    first = await build();
    assert.equal(first.code, 0, first.log);
    assert.match(first.plan, /\[\[provides\]\]\nname = "node"/);
    assert.equal(
      first.read('launch.toml'),
      '[[processes]]\ntype = "web"\ncommand = ["node", "server.js", "--quiet"]\ndefault = true\n',
    );
    const node_modules = join(first.layers, 'modules/node_modules');
    assert.deepEqual(readdirSync(node_modules), ['@test'], 'what it runs with');
    assert.deepEqual(
      readdirSync(join(first.layers, 'build-modules/node_modules')).filter((name) => !name.startsWith('.')),
      ['@test', 'shout'],
    );
    assert.equal(readlinkSync(join(first.app, 'node_modules')), '/layers/strake_nodejs/modules/node_modules');
    assert.equal(
      readFileSync(join(first.app, 'shouted.txt'), 'utf8'),
      `builtv${node}`,
      'built by the Node of the layer',
    );
    assert.deepEqual(readdirSync(join(first.layers, 'node')), ['LICENSE', 'bin', 'env.launch', 'lib']);
    assert.equal(first.read('node/env.launch/NODE_ENV.default'), 'production');
    assert.match(first.read('node.toml'), /^launch = true\nbuild = true\ncache = true$/m);
    assert.match(first.read('modules.toml'), /^launch = true\nbuild = false\ncache = true$/m);
    assert.match(first.read('manager.toml'), /^launch = false\nbuild = true\ncache = true$/m);
    const asked = registry.server.asked();
    assert.equal(asked.filter((path) => path.endsWith('.tgz')).length, 4, `each package once: ${asked.join(' ')}`);
  });

  test('says what is in it', () => {
    const bill = JSON.parse(first.read('modules.sbom.cdx.json')) as { specVersion: string; components: unknown[] };
    assert.equal(bill.specVersion, '1.5');
    assert.deepEqual(bill.components, [
      {
        type: 'library',
        name: '@test/greets',
        version: '1.0.1',
        purl: 'pkg:npm/%40test/greets@1.0.1',
        'bom-ref': 'pkg:npm/%40test/greets@1.0.1',
        licenses: [{ license: { name: 'MIT' } }],
      },
    ]);
    assert.match(first.read('node.sbom.cdx.json'), new RegExp(`"purl": "pkg:generic/node@${node}"`));
  });

  test('another source, the same lock file: nothing is fetched or installed', async () => {
    writeFileSync(join(app, 'server.js'), 'console.log("other")');
    registry.server.asked();
    const second = await build({ restored: first.layers });
    assert.equal(second.code, 0, second.log);
    assert.deepEqual(registry.server.asked(), [`GET /node-linux-${process.arch}`], 'only which Nodes there are');
    assert.match(second.log, /Dependencies: unchanged, from the cache/);
    assert.doesNotMatch(second.log, /npm ci/);
    assert.ok(existsSync(join(second.app, 'shouted.txt')), 'it is built all the same');
    for (const name of ['modules.toml', 'node.toml', 'launch.toml', 'modules.sbom.cdx.json'])
      assert.equal(second.read(name), first.read(name));
  });

  test('in the execution environment "test" all dependencies stay', async () => {
    const tested = await build({ restored: first.layers, execEnv: 'test' });
    assert.equal(tested.code, 0, tested.log);
    const inModules = readdirSync(join(tested.layers, 'modules/node_modules')).filter((name) => !name.startsWith('.'));
    assert.deepEqual(inModules, ['@test', 'shout']);
    assert.match(
      tested.read('launch.toml'),
      /\[\[processes\]\]\ntype = "test"\ncommand = \["shout", "tested"\]\nexec-env = \["test"\]/,
    );
    assert.equal(tested.read('node/env.launch/NODE_ENV.default'), 'test');
    assert.equal(existsSync(join(tested.layers, 'build-modules')), false, 'what is not used any more is gone');
  });

  test('a registry that is not there', async () => {
    const failed = await build({ env: { NPM_CONFIG_REGISTRY: 'http://127.0.0.1:1/' } });
    assert.notEqual(failed.code, 0);
    assert.match(failed.log, /error: fetch "http:\/\/127\.0\.0\.1:1\/node-linux-\w+": .*refused/);
    assert.doesNotMatch(failed.log, /Traceback/);
  });
});
