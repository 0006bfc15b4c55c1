import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilitiesOf, capabilityMask, STEP_CAPABILITIES } from './capabilities.ts';

test('masks and names are one thing', () => {
  assert.equal(capabilityMask(STEP_CAPABILITIES), '00000000a80425fb');
  assert.deepEqual(capabilitiesOf('00000000a80425fb').sort(), [...STEP_CAPABILITIES].sort());
  assert.equal(capabilitiesOf('000001ffffffffff').length, 41);
  assert.deepEqual(capabilitiesOf('ffffffffffffffff').length, 41);
  assert.equal(capabilityMask(['CAP_CHECKPOINT_RESTORE']), '0000010000000000');
});
