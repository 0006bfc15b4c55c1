import assert from 'node:assert/strict';
import { test } from 'node:test';
import { collect } from '../base/index.ts';
import { memoryTree } from './compose.ts';
import { withoutPaths } from './without-paths.ts';

test('a tree without some paths: what is below them goes, names that are kept keep their file', async () => {
  const tree = memoryTree({
    a: 'content',
    run: { type: 'directory' },
    'run/x': 'linked',
    'run/y': { type: 'hardlink', link: 'run/x' },
    runner: 'stays',
    z: { type: 'hardlink', link: 'run/x' },
    zz: { type: 'hardlink', link: 'run/x' },
  });
  const kept = await withoutPaths(tree, ['/run/']);
  assert.ok(kept);
  const entries = await kept.entries();
  assert.deepEqual(
    entries.map(({ path, type, link }) => [path, type, link]),
    [
      ['a', 'file', undefined],
      ['runner', 'file', undefined],
      ['z', 'file', undefined],
      ['zz', 'hardlink', 'z'],
    ],
  );
  const files = entries.filter(({ type }) => type === 'file');
  assert.equal(Buffer.from(await collect(kept.read(files))).toString(), 'contentstayslinked');
  assert.equal(await withoutPaths(tree, ['/nothing', 'ru']), undefined);
  assert.deepEqual(await (await withoutPaths(tree, ['/']))?.entries(), []);
});
