import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';

const CLIENTS = 8;

describe('several at once (must show 7)', () => {
  test(`${CLIENTS} builds of one Dockerfile on one store give one image`, async () => {
    using store = await storeWithBase();
    writeFileSync(
      join(store.work, 'Dockerfile'),
      `FROM ${BASE}\nCOPY Dockerfile /\nRUN sleep 0.2; wc -c /Dockerfile > /size\nRUN cat /size\n`,
    );
    const builds = await Promise.all(
      Array.from({ length: CLIENTS }, () =>
        ok(
          [
            'build',
            '--progress=plain',
            '-o',
            `type=tar,dest=${join(store.work, '../root.tar')}`,
            '-t',
            'shared',
            store.work,
          ],
          { root: store.root },
        ),
      ),
    );
    assert.equal(builds.length, CLIENTS);
    const check = await ok(['doctor', '--check-store'], { root: store.root });
    assert.equal(check.code, 0);
    const again = await ok(['build', '--progress=plain', '-t', 'shared', store.work], { root: store.root });
    assert.doesNotMatch(again.stderr, /\] RUN[^\n]*\n#\d+ DONE/);
    assert.deepEqual(leftovers(store.root), []);
  });
});
