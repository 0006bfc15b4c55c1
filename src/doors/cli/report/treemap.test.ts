import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { treemap } from './treemap.ts';

test('areas are as the sizes, and rectangles neither overlap nor leave the whole', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 1_000_000 }), { maxLength: 30 }), (sizes) => {
      const cells = treemap(sizes, 3);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      assert.equal(cells.length, sizes.length);
      for (const [at, { x, y, width, height }] of cells.entries()) {
        const share = total === 0 ? 0 : (sizes[at] ?? 0) / total;
        assert.ok(Math.abs((width * height) / 10_000 - share) < 1e-6);
        assert.ok(x >= -1e-6 && y >= -1e-6 && x + width <= 100 + 1e-6 && y + height <= 100 + 1e-6);
      }
      const within = (a0: number, a1: number, b0: number, b1: number): number => Math.min(a1, b1) - Math.max(a0, b0);
      for (const [at, a] of cells.entries())
        for (const b of cells.slice(at + 1))
          assert.ok(
            within(a.x, a.x + a.width, b.x, b.x + b.width) < 1e-6 ||
              within(a.y, a.y + a.height, b.y, b.y + b.height) < 1e-6,
          );
    }),
  );
});
