import assert from 'node:assert/strict';
import { test } from 'node:test';
import { capabilitiesFor, capabilitiesOf, capabilityMask, capabilityNamed, STEP_CAPABILITIES } from './capabilities.ts';

test('masks and names are one thing', () => {
  assert.equal(capabilityMask(STEP_CAPABILITIES), '00000000a80425fb');
  assert.deepEqual(capabilitiesOf('00000000a80425fb').sort(), [...STEP_CAPABILITIES].sort());
  assert.equal(capabilitiesOf('000001ffffffffff').length, 41);
  assert.deepEqual(capabilitiesOf('ffffffffffffffff').length, 41);
  assert.equal(capabilityMask(['CAP_CHECKPOINT_RESTORE']), '0000010000000000');
});

test('what is added and dropped, as Docker has it', () => {
  const all = [...STEP_CAPABILITIES, 'CAP_SYS_PTRACE', 'CAP_SYS_ADMIN'];
  const given = (add: string[], drop: string[], security: 'sandbox' | 'insecure' = 'sandbox') =>
    capabilitiesFor({ security, privileges: { add, drop } }, all);
  assert.deepEqual(capabilitiesFor({ security: 'sandbox' }, all), STEP_CAPABILITIES);
  assert.deepEqual(given(['CAP_SYS_PTRACE', 'CAP_CHOWN'], []), [...STEP_CAPABILITIES, 'CAP_SYS_PTRACE']);
  assert.deepEqual(
    given([], ['CAP_CHOWN']),
    STEP_CAPABILITIES.filter((name) => name !== 'CAP_CHOWN'),
  );
  assert.deepEqual(given(['CAP_CHOWN'], ['ALL']), ['CAP_CHOWN']);
  assert.deepEqual(
    given(['ALL'], ['CAP_SYS_ADMIN']),
    all.filter((name) => name !== 'CAP_SYS_ADMIN'),
  );
  assert.deepEqual(
    given([], ['CAP_SYS_ADMIN'], 'insecure'),
    all.filter((name) => name !== 'CAP_SYS_ADMIN'),
  );
  assert.throws(() => given(['CAP_BPF'], []), /give a process CAP_BPF: strake itself does not have it/);
  assert.equal(capabilityNamed('cap_sys_ptrace'), 'CAP_SYS_PTRACE');
  assert.equal(capabilityNamed('flying'), undefined);
});
