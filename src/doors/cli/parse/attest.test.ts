import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attestationsOf } from './attest.ts';

test('flags mean what they mean to buildx, and nothing asked for is nothing said', () => {
  assert.deepEqual(attestationsOf({}), {});
  assert.deepEqual(attestationsOf({ provenance: 'true', sbom: '1' }), { 'attest:provenance': '', 'attest:sbom': '' });
  assert.deepEqual(attestationsOf({ provenance: 'false', sbom: 'false' }), {});
  assert.deepEqual(attestationsOf({ provenance: 'mode=min,version=v0.2' }), {
    'attest:provenance': 'mode=min,version=v0.2',
  });
  assert.deepEqual(
    attestationsOf({ attest: ['type=provenance,"builder-id=a,b",mode=max', 'type=sbom,disabled=true'] }),
    {
      'attest:provenance': '"builder-id=a,b",mode=max',
    },
  );
  assert.deepEqual(attestationsOf({ attest: ['type=sbom,disabled=false'] }), { 'attest:sbom': '' });
});

test('flags that say nothing or contradict each other are refused', () => {
  assert.throws(() => attestationsOf({ attest: ['mode=max'] }), /the type is missing/);
  assert.throws(() => attestationsOf({ attest: ['type=vex'] }), /there is no type "vex"/);
  assert.throws(() => attestationsOf({ provenance: 'maybe' }), /--provenance/);
  assert.throws(
    () => attestationsOf({ attest: ['type=provenance'], provenance: 'mode=min' }),
    /two of type "provenance"/,
  );
});
