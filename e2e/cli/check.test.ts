import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { folderWith } from './context.ts';

const CLEAN = { Dockerfile: '# app is all there is\nFROM scratch AS app\nCOPY a /a\n' };
const LOOSE = { Dockerfile: 'FROM scratch as base\nARG WHO=me\nFROM base\nRUN --mount=type=secret,id=key true\n' };
const BROKEN = { Dockerfile: 'FROM scratch as a\nCOPPY a /a\n' };

suite('looking through a Dockerfile', () => {
  test('nothing found, something found, a fault', async () => {
    using store = emptyStore();
    const clean = await ok(['check', folderWith(join(store.work, 'clean'), CLEAN)], store);
    assert.deepEqual(clean, { code: 0, stdout: 'Check complete, no warnings found.\n', stderr: '' });

    const loose = await strake(['check', join(folderWith(join(store.work, 'loose'), LOOSE), 'Dockerfile')], store);
    assert.equal(loose.code, 1);
    assert.match(loose.stdout, /^Check complete, 1 warning has been found!\n\nWARNING: FromAsCasing - https:/);
    assert.match(loose.stdout, /^ {3}1 \| >>> FROM scratch as base$/m);
    assert.equal(loose.stderr, '');

    const broken = await strake(['check', folderWith(join(store.work, 'broken'), BROKEN)], store);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /unknown instruction: COPPY \(did you mean COPY\?\)\nDockerfile:2\n +2 \| >>> COPPY a/);
    assert.match(broken.stderr, /^help: /m);
    assert.deepEqual(leftovers(store.root), []);
  });

  test('as JSON, as SARIF, and as flags of a build', async () => {
    using store = emptyStore();
    const folder = folderWith(join(store.work, 'c'), LOOSE);
    const json = await strake(['check', '--format', 'json', folder], store);
    assert.equal(json.code, 1);
    const { warnings } = JSON.parse(json.stdout) as { warnings: { ruleName: string }[] };
    assert.deepEqual(
      warnings.map(({ ruleName }) => ruleName),
      ['FromAsCasing'],
    );
    const sarif = await strake(['check', '--format', 'sarif', folder], store);
    assert.match(sarif.stdout, /"ruleId": "FromAsCasing"/);
    const called = await strake(['build', '--call=check,format=json', '-t', 'x', folder], store);
    assert.deepEqual([called.code, called.stdout], [1, json.stdout]);
    const ignored = await ok(['build', '--check', '--call', 'build,ignorestatus=true', folder], store);
    assert.match(ignored.stdout, /^Check complete, 1 warning/);
    assert.equal((await ok(['images', '-q'], store)).stdout, '', 'nothing is built');
  });

  test('outline and targets', async () => {
    using store = emptyStore();
    const folder = folderWith(join(store.work, 'c'), LOOSE);
    const outline = await ok(['build', '--call', 'outline', '--build-arg', 'WHO=you', folder], store);
    assert.equal(
      outline.stdout,
      'BUILD ARG   VALUE   DESCRIPTION\nWHO         you     \n\nSECRET   REQUIRED\nkey      \n\n',
    );
    const targets = await ok(['build', '--call', 'targets', folderWith(join(store.work, 'd'), CLEAN)], store);
    assert.equal(targets.stdout, 'TARGET        DESCRIPTION\napp (default) is all there is\n');
  });
});
