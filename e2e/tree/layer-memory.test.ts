import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const LIMIT = 300 << 20;
/** `npm run test:full` sets it to 3072. */
const mebibytes = process.env['STRAKE_TEST_LAYER_MIB'] ?? '256';

for (const [codec, kind] of [
  ['none', 'located'],
  ['gzip', 'located'],
  ['zstd', 'streamed'],
])
  test(`a layer of ${mebibytes} MiB is written, compressed by ${codec}, imported and compressed again (${kind}) within 300 MiB`, () => {
    const folder = mkdtempSync(join(tmpdir(), 'strake-large-'));
    try {
      const script = join(import.meta.dirname, 'write-large-layer.ts');
      const done = spawnSync(process.execPath, [
        '--disable-warning=ExperimentalWarning',
        script,
        folder,
        mebibytes,
        codec ?? '',
        kind ?? '',
      ]);
      assert.equal(done.status, 0, done.stderr.toString());
      const { rss, size } = JSON.parse(done.stdout.toString()) as { rss: number; size: number };
      assert.equal(size, (Number(mebibytes) << 20) + 512 + 1024);
      assert.ok(rss < LIMIT, `${Math.round(rss / 2 ** 20)} MiB`);
      console.log(`# ${codec}, ${kind}: peak ${Math.round(rss / 2 ** 20)} MiB`);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
