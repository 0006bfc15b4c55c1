import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { appendFileSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { CHECKOUT, ok, strake, type StrakeResult } from '../lib/strake.ts';
import { leftovers } from '../lib/leftovers.ts';
import { foundBelow, foundIn, formsOf } from '../lib/search.ts';
import { storeWithBuilder, type TestStore } from '../lib/store.ts';
import { testUser, userLacking } from '../lib/user.ts';
import { startRun } from '../machine/running.ts';
import { NpmStandIn, noNpm } from './npm-stand-in.ts';
import { pythonProject } from './python-project.ts';

suite('an application becomes an image that runs, without a Dockerfile (must show 1)', () => {
  let store: TestStore;
  let registry: NpmStandIn;

  before(async () => {
    store = await storeWithBuilder();
    registry = await NpmStandIn.open(join(store.work, 'npm'));
  });
  after(async () => {
    await registry?.[Symbol.asyncDispose]();
    store?.[Symbol.dispose]();
  });

  /** A copy of an example, to be changed. */
  const example = (name: string): string => {
    const app = join(store.work, name);
    cpSync(join(CHECKOUT, 'examples', name), app, { recursive: true });
    return app;
  };

  /** The registry on loopback is the one that npm's configuration of this machine names. */
  const build = (app: string, tag: string, ...more: string[]): Promise<StrakeResult> =>
    ok(['build', '--progress=plain', '--network=host', '--allow=network.host', '-t', tag, ...more, app], {
      root: store.root,
      env: { NPM_CONFIG_REGISTRY: registry.url },
    });

  /** Runs it, asks it, ends it. */
  const answer = async (tag: string, path = '/'): Promise<{ status: number; type: string | null; text: string }> => {
    const running = startRun([tag], { root: store.root });
    try {
      const url = await running.says(/http:\/\/127\.0\.0\.1:\d+/);
      const response = await fetch(url + path, { headers: { connection: 'close' } });
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    } finally {
      process.kill(running.pid, 'SIGTERM');
      await running.ended;
    }
  };

  /** What `bin/build` of a buildpack printed; empty where it was not run. */
  const said = ({ stderr }: StrakeResult, id: string): string => {
    const step = new RegExp(`^#(\\d+) \\[build\\] strake/${id}@`, 'm').exec(stderr)?.[1];
    return [...stderr.matchAll(new RegExp(`^#${step} \\d+\\.\\d+ (.*)$`, 'gm'))].map(([, line]) => line).join('\n');
  };

  test('Node.js', { skip: noNpm ?? false }, async () => {
    const app = example('node-app');
    const version = registry.addNode();
    const first = await build(app, 'web');
    assert.match(said(first, 'nodejs'), new RegExp(`^Node\\.js ${version} \\(package\\.json: >=22\\)$`, 'm'));
    assert.match((await answer('web')).text, /^Hello from Node\.js/);

    // The cache that the first one left is something new to read; from then on nothing is.
    await build(app, 'web');
    registry.server.asked();
    const nothing = await build(app, 'web');
    assert.equal(nothing.stdout, first.stdout, 'nothing changed: the same image');
    assert.equal(said(nothing, 'nodejs'), '', 'nothing changed: nothing is run');
    assert.deepEqual(registry.server.asked(), []);

    appendFileSync(join(app, 'greeting.js'), '// changed\n');
    const changed = await build(app, 'web');
    assert.notEqual(changed.stdout, first.stdout);
    assert.match(said(changed, 'nodejs'), /from the cache/);
    assert.deepEqual(registry.server.asked(), [`GET /node-linux-${process.arch}`], 'nothing but the versions');
    assert.match(changed.stderr, /Reusing layer 'strake\/nodejs:node'/);
    assert.match(changed.stderr, /Added 1\/1 app layer\(s\)/);

    const tested = await build(app, 'web-test', '--exec-env=test');
    assert.notEqual(tested.stdout, changed.stdout);
    const run = await ok(['run', '-e', 'CNB_EXEC_ENV=test', '--entrypoint', 'test', 'web-test'], { root: store.root });
    assert.match(run.stdout, /pass 2/);
  });

  test('Python', async () => {
    const app = example('python-app');
    await build(app, 'python');
    assert.match((await answer('python')).text, /^Hello from Python/);
    appendFileSync(join(app, 'main.py'), '# changed\n');
    const changed = await build(app, 'python');
    assert.match(said(changed, 'python'), /^Python 3\.\d+\.\d+, of debian, from the cache$/m);
    assert.match(changed.stderr, /Reusing layer 'strake\/python:python'/);
    const again = await build(app, 'python');
    assert.equal(again.stdout, changed.stdout);
    assert.equal(said(again, 'python'), '');
  });

  test('Python with what pip installs: its module and its program are found', async () => {
    const app = join(store.work, 'mine');
    for (const [name, content] of Object.entries(pythonProject())) {
      mkdirSync(dirname(join(app, name)), { recursive: true });
      writeFileSync(join(app, name), content);
    }
    await build(app, 'mine');
    for (const command of [[], ['mine']]) {
      const run = await ok(['run', 'mine', ...command], { root: store.root });
      assert.equal(run.stdout, 'a word of mine\n');
    }
  });

  test(
    'a registry that wants a login: it comes by a binding, and stays nowhere',
    { skip: noNpm ?? false },
    async () => {
      const app = join(store.work, 'private');
      const binding = join(store.work, 'npm-login');
      for (const folder of [app, binding]) mkdirSync(folder);
      registry.addNode();
      registry.addNpm();
      const secret = registry.add({ name: 'secret', version: '1.0.0' }, { 'index.js': 'module.exports = "known";' });
      const manifest = { name: 'app', version: '1.0.0', dependencies: { secret: '1.0.0' } };
      const lock = {
        ...manifest,
        lockfileVersion: 3,
        packages: { '': manifest, 'node_modules/secret': { version: '1.0.0', integrity: secret.integrity } },
      };
      writeFileSync(join(app, 'package.json'), JSON.stringify({ ...manifest, scripts: { start: 'node start.js' } }));
      writeFileSync(join(app, 'package-lock.json'), JSON.stringify(lock));
      writeFileSync(join(app, 'start.js'), 'console.log(require("secret"))');
      registry.token = randomBytes(20).toString('hex');
      writeFileSync(join(binding, 'type'), 'npmrc\n');
      const host = registry.url.replace('http:', '');
      writeFileSync(join(binding, '.npmrc'), `registry=${registry.url}/\n${host}/:_authToken=${registry.token}\n`);
      const flags = ['--network=host', '--allow=network.host', '--env', 'BP_NPM_VERSION=latest', '-t', 'private', app];
      const built = await ok(['build', '--progress=plain', '--binding', binding, ...flags], {
        root: store.root,
        env: { NPM_CONFIG_REGISTRY: registry.url },
      });
      assert.equal((await ok(['run', 'private'], { root: store.root })).stdout, 'known\n');
      const needles = formsOf('token', Buffer.from(registry.token));
      assert.deepEqual(foundIn('the log', Buffer.from(built.stdout + built.stderr), needles), []);
      const { found, files } = foundBelow(store.root, needles);
      assert.ok(files > 20);
      assert.deepEqual(found, []);
      registry.token = undefined;
    },
  );

  test('static files', async () => {
    await build(example('static-site'), 'site');
    const page = await answer('site');
    assert.equal(page.type, 'text/html;charset=utf-8');
    assert.match(page.text, /Hello from files/);
    const missing = await answer('site', '/nowhere');
    assert.equal(missing.status, 404);
    assert.match(missing.text, /no such page/);
  });

  test('a Procfile, and labels', async () => {
    const app = example('procfile-app');
    await build(app, 'app', '--env', 'BP_OCI_TITLE=An app', '--env', 'BP_IMAGE_LABELS=org.example.team=web');
    assert.match((await answer('app')).text, /^Hello from a Procfile/);
    const inspected = await ok(['inspect', 'app'], { root: store.root });
    assert.match(inspected.stdout, /"org\.opencontainers\.image\.title": "An app"/);
    assert.match(inspected.stdout, /"org\.example\.team": "web"/);
    const clock = startRun(['--entrypoint', 'clock', 'app'], { root: store.root });
    await clock.says(/\d\d:\d\d:\d\d UTC \d{4}/);
    process.kill(clock.pid, 'SIGTERM');
    await clock.ended;
  });

  test('a folder that none of them knows', async () => {
    const app = join(store.work, 'none');
    mkdirSync(app);
    writeFileSync(join(app, 'project.toml'), '[io.buildpacks]\n');
    const failed = await strake(['build', '--progress=plain', '-t', 'none', app], { root: store.root });
    assert.notEqual(failed.code, 0);
    assert.match(failed.stderr, /No buildpack groups passed detection/);
    assert.deepEqual(leftovers(store.root), []);
  });
});

test('as an ordinary user', { skip: userLacking() ?? false }, async () => {
  using user = testUser();
  using store = await storeWithBuilder(user);
  const app = join(store.work, 'static-site');
  cpSync(join(CHECKOUT, 'examples/static-site'), app, { recursive: true });
  await ok(['build', '--progress=plain', '-t', 'site', app], { root: store.root, user });
  const running = startRun(['site'], { root: store.root, prefix: user.prefix, home: user.home });
  try {
    const url = await running.says(/http:\/\/127\.0\.0\.1:\d+/);
    assert.match(await (await fetch(url, { headers: { connection: 'close' } })).text(), /Hello from files/);
  } finally {
    process.kill(running.pid, 'SIGTERM');
    await running.ended;
  }
  assert.deepEqual(leftovers(store.root), []);
});
