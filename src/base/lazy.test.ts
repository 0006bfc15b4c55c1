import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from './error.ts';
import { Flight } from './flight.ts';
import { Lazy } from './lazy.ts';

test('a value is computed once, when first asked for; a failure is not remembered', async () => {
  let times = 0;
  const lazy = new Lazy(async () => {
    times += 1;
    if (times === 1) throw new Error('first');
    return times;
  });
  assert.equal(times, 0);
  const both = await Promise.allSettled([lazy.get(), lazy.get()]);
  assert.deepEqual(
    both.map((each) => each.status),
    ['rejected', 'rejected'],
  );
  assert.deepEqual(await Promise.all([lazy.get(), lazy.get(), lazy.get()]), [2, 2, 2]);
});

test('a signal ends the wait of its caller, never the work, and a later failure of the work harms nobody', async () => {
  const gate = Promise.withResolvers<number>();
  const lazy = new Lazy(() => gate.promise);
  const stop = new AbortController();
  const waiting = lazy.get({ signal: stop.signal });
  const other = lazy.get();
  stop.abort();
  await assert.rejects(waiting, (error) => hasCode(error, 'CANCELLED'));
  gate.resolve(7);
  assert.equal(await other, 7);

  const failing = Promise.withResolvers<number>();
  const doomed = new Lazy(() => failing.promise);
  await assert.rejects(doomed.get({ signal: stop.signal }), (error) => hasCode(error, 'CANCELLED'));
  failing.reject(new Error('nobody waits for this'));
  await new Promise((resolve) => setImmediate(resolve));
});

test('work in flight is shared by key and forgotten when it settles', async () => {
  const flight = new Flight<number>();
  let times = 0;
  const work = async (): Promise<number> => {
    times += 1;
    await new Promise((resolve) => setImmediate(resolve));
    if (times === 1) throw new Error('first');
    return times;
  };
  const first = await Promise.allSettled([flight.run('a', work), flight.run('a', work)]);
  assert.deepEqual(
    first.map((each) => each.status),
    ['rejected', 'rejected'],
  );
  assert.equal(times, 1);
  assert.deepEqual(
    await Promise.all([flight.run('a', work), flight.run('a', work), flight.run('b', async () => 9)]),
    [2, 2, 9],
  );
});
