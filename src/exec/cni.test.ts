import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCni } from './cni.ts';

test('a list, one plugin’s configuration, and neither', () => {
  assert.deepEqual(parseCni('{"cniVersion":"1.0.0","name":"n","plugins":[{"type":"bridge"},{"type":"firewall"}]}'), {
    name: 'n',
    cniVersion: '1.0.0',
    plugins: [{ type: 'bridge' }, { type: 'firewall' }],
  });
  assert.deepEqual(parseCni('{"name":"n","type":"bridge","bridge":"b0"}'), {
    name: 'n',
    cniVersion: '0.4.0',
    plugins: [{ name: 'n', type: 'bridge', bridge: 'b0' }],
  });
  for (const text of ['', '[]', 'null', '{"plugins":[{"type":"x"}]}', '{"name":"n"}', '{"name":"n","plugins":[]}'])
    assert.equal(parseCni(text), undefined, text);
});
