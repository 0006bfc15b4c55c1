import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import type { Vertex } from '../graph/index.ts';
import { StepSlots } from './step-slots.ts';

/** A step on the root of another. */
function step(name: string, below?: Vertex): Vertex {
  const inputs = below ? [{ vertex: below, output: 0 }] : [];
  return { digest: name as Digest, inputs } as unknown as Vertex;
}

test('with one root the steps of one stage follow each other, then those of the nearest', async () => {
  const slots = new StepSlots();
  const base = step('base');
  const [left, right, other] = [step('left', base), step('right', base), step('other')];
  const more = step('more', left);
  const order: string[] = [];
  const run = async (vertex: Vertex, o: { above?: Vertex } = {}): Promise<void> => {
    const slot = await slots.take(vertex, { oneRoot: true });
    order.push(vertex.digest);
    // Whoever goes on from it asks when it has ended.
    const next = o.above && Promise.resolve().then(() => run(o.above!));
    slot[Symbol.dispose]();
    await next;
  };
  const first = await slots.take(base, { oneRoot: true });
  const all = [run(other), run(left, { above: more }), run(right)];
  const controller = new AbortController();
  const given = slots.take(step('given up'), { oneRoot: true, signal: controller.signal });
  controller.abort(new Error('enough'));
  await assert.rejects(given, (error) => hasCode(error, 'CANCELLED'));
  first[Symbol.dispose]();
  await Promise.all(all);
  assert.deepEqual(order, ['left', 'more', 'right', 'other']);
  (await slots.take(other, { oneRoot: true }))[Symbol.dispose]();
});
