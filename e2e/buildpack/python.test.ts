import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { FileServer } from '../lib/file-server.ts';
import { storeWithBuilder, type TestStore } from '../lib/store.ts';
import { runPhases, type PhaseResult } from './phases.ts';
import { pythonProject } from './python-project.ts';

const WHEEL = 'greets-1.0.0-py3-none-any.whl';
const INFO = 'greets-1.0.0.dist-info';
/** A package as an index has it. */
const GREETS = {
  'greets.py': 'def hello():\n    return "hello"\n',
  [`${INFO}/METADATA`]: 'Metadata-Version: 2.1\nName: greets\nVersion: 1.0.0\nLicense: MIT\n',
  [`${INFO}/WHEEL`]: 'Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
  [`${INFO}/RECORD`]: '',
};
const python = '/usr/bin/python3';
suite('strake/python in the build image', { skip: existsSync(python) ? false : `there is no ${python}` }, () => {
  let store: TestStore;
  let index: FileServer;
  let first: PhaseResult;

  before(async () => {
    store = await storeWithBuilder();
    index = await FileServer.open();
    const wheel = join(store.work, WHEEL);
    files(join(store.work, 'wheel'), GREETS);
    execFileSync(python, ['-m', 'zipfile', '-c', wheel, 'greets.py', INFO], { cwd: join(store.work, 'wheel') });
    const digest = createHash('sha256').update(readFileSync(wheel)).digest('hex');
    index.file('/simple/greets/', `<a href="/${WHEEL}#sha256=${digest}">${WHEEL}</a>`, { 'content-type': 'text/html' });
    index.file(`/${WHEEL}`, readFileSync(wheel), { 'cache-control': 'max-age=600' });
  });
  after(async () => {
    await index?.[Symbol.asyncDispose]();
    store?.[Symbol.dispose]();
  });

  const build = (app: Readonly<Record<string, string>>, more: { restored?: string } = {}): Promise<PhaseResult> => {
    const folder = join(store.work, 'app');
    rmSync(folder, { recursive: true, force: true });
    files(folder, app);
    index.requests.splice(0);
    return runPhases(store, {
      ...more,
      buildpack: 'python',
      app: folder,
      // pip keeps what came by TLS, or from a host that it is told to trust.
      env: { PIP_INDEX_URL: `${index.url}/simple`, PIP_TRUSTED_HOST: '127.0.0.1' },
    });
  };
  const app = { 'requirements.txt': '-r more.txt\n', 'more.txt': 'greets==1.0.0\n', 'app.py': 'import greets\n' };

  test('installs what requirements.txt asks for', async () => {
    first = await build(app);
    assert.equal(first.code, 0, first.log);
    assert.match(first.plan, /\[\[requires\]\]\nname = "cpython"/);
    assert.equal(
      first.read('launch.toml'),
      '[[processes]]\ntype = "web"\ncommand = ["python3", "app.py"]\ndefault = true\n',
    );
    const [version] = readdirSync(join(first.layers, 'venv/lib'));
    const installed = `venv/lib/${version}/site-packages`;
    assert.equal(first.read(`${installed}/greets.py`), GREETS['greets.py']);
    assert.ok(readdirSync(join(first.layers, `${installed}/__pycache__`)).length === 1, 'compiled');
    assert.equal(
      readlinkSync(join(first.layers, 'venv/bin/python3')),
      '/layers/strake_python/python/bin/python3',
      'run by the Python of the layer',
    );
    assert.ok(existsSync(join(first.layers, `python/lib/${version}/os.py`)));
    assert.ok(readdirSync(join(first.layers, 'python/lib')).some((name) => name.startsWith('libssl.so')));
    for (const layer of ['python', 'venv'])
      assert.match(first.read(`${layer}.toml`), /^launch = true\nbuild = true\ncache = true$/m);
  });

  test('says what is in it', () => {
    const bill = JSON.parse(first.read('venv.sbom.cdx.json')) as { components: { purl: string }[] };
    assert.deepEqual(
      bill.components.map(({ purl }) => purl),
      ['pkg:pypi/greets@1.0.0'],
    );
    const debian = JSON.parse(first.read('python.sbom.cdx.json')) as { components: { name: string; purl: string }[] };
    const names = debian.components.map(({ name }) => name);
    assert.ok(['python3', 'libssl3', 'zlib1g'].every((name) => names.includes(name)));
    assert.ok(!names.includes('libc6'), 'what the run image has');
    assert.ok(debian.components.every(({ purl }) => purl.startsWith('pkg:deb/debian/')));
  });

  test('another source, the same requirements: nothing is fetched or installed', async () => {
    const second = await build({ ...app, 'app.py': '# other\n' }, { restored: first.layers });
    assert.equal(second.code, 0, second.log);
    assert.deepEqual(index.requests, []);
    assert.match(second.log, /Packages of requirements\.txt: unchanged, from the cache/);
    for (const name of ['python.toml', 'venv.toml', 'venv.sbom.cdx.json', 'launch.toml'])
      assert.equal(second.read(name), first.read(name));
  });

  test('made anew, its layers are the same bytes', async () => {
    const again = await build({ ...app, 'app.py': '# another\n' });
    assert.equal(again.code, 0, again.log);
    for (const layer of ['python', 'venv'])
      assert.deepEqual(digests(join(again.layers, layer)), digests(join(first.layers, layer)));
  });

  test('installs a project by its own build backend (PEP 517), from cached wheels', async () => {
    const made = await build(pythonProject({ requires: 'greets' }), { restored: first.layers });
    assert.equal(made.code, 0, made.log);
    const bill = JSON.parse(made.read('venv.sbom.cdx.json')) as { components: { purl: string }[] };
    assert.deepEqual(
      bill.components.map(({ purl }) => purl),
      ['pkg:pypi/greets@1.0.0', 'pkg:pypi/mine@2.0'],
    );
    assert.match(made.read('venv.toml'), /^cache = false$/m, 'any file may have another part in it');
    assert.ok(!index.requests.includes(`GET /${WHEEL}`), `the wheel was there: ${index.requests.join(', ')}`);
  });

  test('what cannot be installed', async () => {
    const failed = await build({ 'requirements.txt': 'nowhere==1\n' }, { restored: first.layers });
    assert.notEqual(failed.code, 0);
    assert.match(failed.log, /error: run "pip install -r requirements\.txt": ended with 1/);
    assert.doesNotMatch(failed.log, /Traceback/);
  });
});

function files(folder: string, contents: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(contents)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** Path -> digest, or what a link says, of all that lies in a folder. */
function digests(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isSymbolicLink()) found[relative(folder, path)] = readlinkSync(path);
    else if (entry.isFile())
      found[relative(folder, path)] = createHash('sha256').update(readFileSync(path)).digest('hex');
  }
  return found;
}
