import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { CHECKOUT } from '../lib/strake.ts';

const FOLDER = join(CHECKOUT, 'buildpacks');
const BUILDPACKS = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, 'buildpack.toml')));
const PYTHON = '/usr/bin/python3';

suite('the embedded buildpacks, as files', () => {
  test('each can be packaged by itself', () => {
    assert.deepEqual(BUILDPACKS, ['environment-labels', 'nodejs', 'procfile', 'python', 'static']);
    const shared = readFileSync(join(FOLDER, 'nodejs/lib/cnb.py'));
    for (const name of BUILDPACKS) {
      const at = (path: string): string => join(FOLDER, name, path);
      assert.ok(readFileSync(at('lib/cnb.py')).equals(shared), `${name}: lib/cnb.py is the copy that all have`);
      for (const program of ['bin/detect', 'bin/build'])
        assert.equal(statSync(at(program)).mode & 0o111, 0o111, `${name}: ${program} can be run`);
      const toml = readFileSync(at('buildpack.toml'), 'utf8');
      assert.match(toml, new RegExp(`^id = "strake/${name}"$`, 'm'));
      assert.match(toml, /^\[metadata\.strake\]\nstep-cache = true$/m);
      assert.match(readFileSync(at('README.md'), 'utf8'), new RegExp(`^# strake/${name}\n`));
    }
  });

  test('the builder has an order for all of them, and for no others', () => {
    const toml = readFileSync(join(FOLDER, 'builder.toml'), 'utf8');
    const extensions = readdirSync(FOLDER).filter((name) => existsSync(join(FOLDER, name, 'extension.toml')));
    const all = new Set([...BUILDPACKS, ...extensions]);
    const entries = [...toml.matchAll(/^id = "strake\/(.*)"\nversion = "(.*)"$/gm)];
    assert.deepEqual(new Set(entries.map(([, id]) => id)), all);
    for (const [, id = '', version] of entries) {
      const file = BUILDPACKS.includes(id) ? 'buildpack.toml' : 'extension.toml';
      const own = /^version = "(.*)"$/m.exec(readFileSync(join(FOLDER, id, file), 'utf8'))?.[1];
      assert.equal(version, own, id);
    }
    const uris = [...toml.matchAll(/^uri = "(.*)"$/gm)].map(([, uri]) => uri);
    assert.deepEqual(new Set(uris), all);
  });
});

const skip = existsSync(PYTHON) ? false : `there is no ${PYTHON}`;
suite('the scripts of the embedded buildpacks', { skip }, () => {
  const files = readdirSync(join(FOLDER, 'tests')).filter((name) => name.endsWith('_test.py'));
  for (const file of files)
    test(file, () => {
      const done = spawnSync(PYTHON, ['-IB', join(FOLDER, 'tests', file)], { encoding: 'utf8' });
      assert.equal(done.status, 0, done.stderr);
      assert.match(done.stderr, /^Ran [1-9]\d* tests? /m);
    });
});
