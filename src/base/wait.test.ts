import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CodedError, hasCode } from './error.ts';
import { cancelled, sleep, throwIfCancelled, unlessCancelled } from './wait.ts';

test('a cancellation keeps its reason', () => {
  throwIfCancelled();
  throwIfCancelled({ signal: new AbortController().signal });
  const own = new CodedError({ code: 'STOPPED', kind: 'cancelled', message: 'stopped by hand' });
  assert.equal(cancelled(own), own);
  assert.equal(cancelled(new Error('because')).message, 'cancelled: because');
  assert.throws(
    () => throwIfCancelled({ signal: AbortSignal.abort() }),
    (error) => hasCode(error, 'CANCELLED') && error.message === 'cancelled',
  );
});

test('waiting ends when the signal fires, with no listener left behind', async () => {
  const stop = new AbortController();
  const { signal } = stop;
  let listeners = 0;
  const counted = new Proxy(signal, {
    get: (target, key) => {
      if (key === 'addEventListener') listeners += 1;
      if (key === 'removeEventListener') listeners -= 1;
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  assert.equal(await unlessCancelled(Promise.resolve(1), { signal: counted }), 1);
  await sleep(0, { signal: counted });
  assert.equal(listeners, 0);
  const waiting = [sleep(1e6, { signal: counted }), unlessCancelled(new Promise(() => undefined), { signal: counted })];
  stop.abort();
  for (const each of await Promise.allSettled(waiting))
    assert.ok(each.status === 'rejected' && hasCode(each.reason, 'CANCELLED'));
  assert.equal(listeners, 0);
  await assert.rejects(sleep(1e6, { signal }), (error) => hasCode(error, 'CANCELLED'));
});
