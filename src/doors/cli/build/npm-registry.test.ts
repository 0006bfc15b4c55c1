import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { npmRegistry } from './npm-registry.ts';

/** What is found with these files, below `app` and `home`. */
function found(
  files: Readonly<Record<string, string>>,
  o: { readonly env?: Record<string, string>; readonly npm?: string } = {},
): { readonly registry: string | undefined; readonly asked: boolean } {
  const folder = mkdtempSync(join(tmpdir(), 'strake-npm-registry-'));
  let asked = false;
  const ask = (): string | undefined => {
    asked = true;
    return o.npm;
  };
  try {
    for (const [name, content] of Object.entries({ 'app/package.json': '{}', ...files })) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), content);
    }
    const registry = npmRegistry(join(folder, 'app'), { env: o.env ?? {}, home: join(folder, 'home'), ask });
    return { registry, asked };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

test('the environment goes before the user, the user before what npm says', () => {
  const user = { 'home/.npmrc': 'fund=false\nregistry = "http://user.test/npm/"\n' };
  const env = { npm_config_registry: 'http://env.test/' };
  assert.deepEqual(found(user, { env, npm: 'http://npm.test/' }), { registry: 'http://env.test/', asked: false });
  assert.deepEqual(found(user, { npm: 'http://npm.test/' }), { registry: 'http://user.test/npm/', asked: false });
  assert.deepEqual(found({}, { npm: 'http://npm.test/' }), { registry: 'http://npm.test/', asked: true });
  assert.deepEqual(found({ 'home/.npmrc': 'registry=http://${HOST}/\n' }, { npm: 'http://npm.test/' }), {
    registry: 'http://npm.test/',
    asked: true,
  });
});

test('what the application says itself is left to it', () => {
  const app = { 'app/.npmrc': 'registry=http://app.test/' };
  assert.deepEqual(found(app, { npm: 'http://npm.test/' }), { registry: undefined, asked: false });
  const env = { NPM_CONFIG_REGISTRY: 'http://env.test/' };
  assert.equal(found(app, { env }).registry, 'http://env.test/', 'as npm has it');
});

test('nothing is looked for where there is no package.json', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-npm-registry-'));
  try {
    assert.equal(npmRegistry(folder, { env: { NPM_CONFIG_REGISTRY: 'http://env.test/' }, home: folder }), undefined);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('a login is never handed on, nor what is no URL', () => {
  for (const text of ['http://me:secret@env.test/', 'http://me@env.test/', 'file:///etc', 'undefined', ''])
    assert.equal(found({}, { env: { npm_config_registry: text } }).registry, undefined, text);
  assert.equal(found({}, {}).registry, undefined, 'no npm');
});
