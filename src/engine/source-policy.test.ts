import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { readSourcePolicy, type SourcePolicy } from '../graph/index.ts';
import { EngineRig } from './engine-rig.suite.ts';

function policy(...rules: object[]): readonly SourcePolicy[] {
  return [readSourcePolicy(JSON.stringify({ rules }))];
}

const deny = (identifier: string) => ({ action: 'DENY', selector: { identifier } });
const allow = (identifier: string) => ({ action: 'ALLOW', selector: { identifier } });

test('a policy denies, allows and converts what a Dockerfile begins with', async () => {
  await using rig = await EngineRig.open();
  for (const name of ['one', 'two'])
    assert.equal(
      (await rig.build({ Dockerfile: `FROM scratch\nCOPY f /${name}\n`, f: name }, { names: [`${name}:1`] })).error,
      undefined,
    );
  const files = { Dockerfile: 'FROM one:1 AS made\nCOPY --from=two:1 /two /copied\nCOPY mine /\n', mine: 'x' };
  const build = (sourcePolicies: readonly SourcePolicy[], of: typeof files = files) =>
    rig.build(of, { names: ['made'], sourcePolicies, options: { 'attest:provenance': 'mode=min' } });

  const refused = await build(policy(deny('docker-image://*'), allow('docker-image://docker.io/library/one:*')));
  assert.ok(hasCode(refused.error, 'SOURCE_DENIED'), String(refused.error));
  assert.match(String(refused.error), /source "docker-image:\/\/docker.io\/library\/two:1" denied by policy/);
  const files2 = await build(policy(deny('local://*'), allow('local://dockerfile')));
  assert.match(String(files2.error), /source "local:\/\/context" denied by policy/);
  const open = await build(policy(deny('docker-image://ghcr.io/*')));
  assert.equal(open.error, undefined);

  // Another base: the layers are that one's, and so is what is said about them.
  const convert = {
    action: 'CONVERT',
    selector: { identifier: 'docker-image://docker.io/library/one:*' },
    updates: { identifier: 'docker-image://docker.io/library/two:$1' },
  };
  const converted = await build(policy(convert), { Dockerfile: 'FROM one:1\nCOPY mine /\n', mine: 'x' });
  assert.equal(converted.error, undefined);
  const two = await rig.engine.images.inspect('two:1');
  const made = await rig.engine.images.inspect('made');
  assert.equal(made.layers[0]?.diffId, two.layers[0]?.diffId);
  const [statement] = converted.result?.images[0]?.statements ?? [];
  const said = Buffer.from(statement?.predicate ?? []).toString();
  assert.ok(said.includes('pkg:docker/two@1') && !said.includes('docker/one'), said);
  // What was made under the policy is not what another build finds without it.
  assert.equal((await build([], { Dockerfile: 'FROM one:1\nCOPY mine /\n', mine: 'x' })).error, undefined);
  const one = await rig.engine.images.inspect('one:1');
  assert.equal((await rig.engine.images.inspect('made')).layers[0]?.diffId, one.layers[0]?.diffId);
});

test('an image becomes files that the client offers', async () => {
  await using rig = await EngineRig.open();
  const convert = {
    action: 'CONVERT',
    selector: { identifier: 'docker-image://docker.io/library/gone:*' },
    updates: { identifier: 'local://context' },
  };
  const { error } = await rig.build(
    { Dockerfile: 'FROM gone\nENV A=1\n', f: 'x' },
    { names: ['made'], sourcePolicies: policy(convert) },
  );
  assert.equal(error, undefined);
  const { config, layers } = await rig.engine.images.inspect('made');
  assert.equal(layers.length, 1);
  assert.deepEqual(config.config?.Env?.at(-1), 'A=1');
});
