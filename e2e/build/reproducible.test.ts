import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { BASE, storeWithBase } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';

const DOCKERFILE = `FROM ${BASE}
WORKDIR /app
COPY . .
RUN mkdir -p out/sub && for i in 3 1 2; do cat a/1.txt > out/sub/$i; done && ln out/sub/1 out/link && chmod 4755 out/sub/2
RUN touch /etc/late
LABEL a=1 b=2
`;

/** The context, its files made in the given order, at the given time. */
function context(folder: string, names: readonly string[], seconds: number): void {
  writeFileSync(join(folder, 'Dockerfile'), DOCKERFILE);
  for (const name of names) {
    const path = join(folder, name);
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o755 });
    chmodSync(join(path, '..'), 0o755);
    writeFileSync(path, `content of ${name}\n`);
    chmodSync(path, 0o644);
    utimesSync(path, seconds, seconds);
  }
  chmodSync(join(folder, 'Dockerfile'), 0o644);
}

describe('reproducible builds (must show 5)', () => {
  test('twice from scratch, in different folders, at different times, with another umask and file order: the same digests', async () => {
    const names = ['a/1.txt', 'a/2.txt', 'b/c/3.txt', 'z.txt'];
    const results: string[] = [];
    for (const [order, seconds, umask] of [
      [names, 1_750_000_000, '022'],
      [names.toReversed(), 1_760_000_000, '077'],
    ] as const) {
      using store = await storeWithBase();
      const folder = join(store.work, `somewhere-${seconds}`);
      mkdirSync(folder);
      context(folder, order, seconds);
      const archive = join(store.work, 'out.tar');
      const metadata = join(store.work, 'metadata.json');
      const { stdout } = await ok(
        ['build', '--progress=plain', '-o', `type=oci,dest=${archive}`, '--metadata-file', metadata, folder],
        { root: store.root, umask, env: { SOURCE_DATE_EPOCH: '1700000000' } },
      );
      const { default: written } = (await import(metadata, { with: { type: 'json' } })) as {
        default: Record<string, unknown>;
      };
      results.push(`${stdout.trim()} ${String(written['containerimage.digest'])}`);
    }
    assert.equal(results[0], results[1]);
  });
});
