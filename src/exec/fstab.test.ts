import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fstab } from './fstab.ts';

test('blanks, backslashes and comment signs are written as octal', () => {
  const line = fstab([{ source: 'a b', target: '/x\t#y\\z', type: 'none', options: ['bind', 'ro'] }]);
  assert.equal(line, 'a\\040b /x\\011\\043y\\134z none bind,ro 0 0\n');
  assert.equal(fstab([{ source: 's', target: 't', type: 'proc', options: [] }]), 's t proc defaults 0 0\n');
});
