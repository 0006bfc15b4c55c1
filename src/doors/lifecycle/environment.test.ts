import assert from 'node:assert/strict';
import { test } from 'node:test';
import { traceContext } from './environment.ts';

test('the trace context of the platform is handed on, what is none is not', () => {
  const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const given = { CNB_OTEL_TRACEPARENT: parent };
  assert.deepEqual(traceContext(given), given);
  assert.deepEqual(traceContext({ TRACEPARENT: parent }), given);
  assert.deepEqual(traceContext({ CNB_OTEL_TRACEPARENT: parent, TRACEPARENT: 'x' }), given);
  for (const other of [
    '',
    'x',
    parent.toUpperCase(),
    parent.replace('b7ad6b7169203331', '0'.repeat(16)),
    `ff${parent.slice(2)}`,
  ])
    assert.deepEqual(traceContext({ CNB_OTEL_TRACEPARENT: other }), {}, other);
});
