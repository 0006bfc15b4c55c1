import assert from 'node:assert/strict';
import { test } from 'node:test';
import { greeting } from './greeting.js';

test('greets', () => assert.match(greeting(), /^Hello/));
test('greets as it is told', () => assert.equal(greeting('Moin.'), 'Moin.'));
