import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from './error.ts';
import { mapBounded, Semaphore } from './semaphore.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('permits are handed out in order, given back once, and not lost when a waiter is cancelled', async () => {
  const semaphore = new Semaphore(1);
  const order: string[] = [];
  const first = await semaphore.take();
  const stop = new AbortController();
  const take = async (name: string, signal?: AbortSignal): Promise<void> => {
    using _ = await semaphore.take({ signal });
    order.push(name);
    await turn();
  };
  const cancelled = take('cancelled', stop.signal);
  const rest = [take('a'), take('b')];
  stop.abort(new Error('enough'));
  await assert.rejects(cancelled, (error) => hasCode(error, 'CANCELLED') && /enough/.test(error.message));
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  await Promise.all(rest);
  assert.deepEqual(order, ['a', 'b']);
  await assert.rejects(semaphore.take({ signal: stop.signal }), (error) => hasCode(error, 'CANCELLED'));
  using _ = await semaphore.take();
});

test('items are mapped with a bound, results in order; the first failure stops new ones', async () => {
  let running = 0;
  let most = 0;
  const work = async (item: number): Promise<number> => {
    running += 1;
    most = Math.max(most, running);
    for (let at = 0; at < 5 - (item % 5); at++) await turn();
    running -= 1;
    return item * 2;
  };
  const items = Array.from({ length: 20 }, (_, at) => at);
  assert.deepEqual(
    await mapBounded(items, 3, work),
    items.map((item) => item * 2),
  );
  assert.equal(most, 3);
  assert.deepEqual(await mapBounded([], 3, work), []);

  let started = 0;
  const failing = mapBounded(items, 2, async (item) => {
    started += 1;
    await turn();
    if (item === 3) throw new Error('third');
  });
  await assert.rejects(failing, /third/);
  await turn();
  assert.ok(started <= 6, `${started} items were started`);
});
