import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { goMatch } from '../../../tree/index.ts';
import { planAppLayers } from './app-layers.ts';
import { memoryFiles, treeOfPlan } from './plan-tree.suite.ts';

/** What each layer holds, relative to the app; "." is the app's folder. */
async function layersOf(paths: readonly string[], slices: readonly (readonly string[])[]): Promise<string[][]> {
  const { view, files } = await memoryFiles(
    Object.fromEntries([['workspace/', ''], ...paths.map((path) => [`workspace/${path}`, ''])]),
  );
  const plans = await planAppLayers(
    { appDir: '/workspace', uid: 1, gid: 2, slices: slices.map((paths) => ({ paths })) },
    { files },
  );
  const found: string[][] = [];
  for (const plan of plans) {
    const entries = await treeOfPlan(plan, { view }).entries();
    found.push(entries.map(({ path }) => path.replace(/^workspace\/?/, '') || '.').sort());
  }
  return found;
}

/** The same by a flat list of paths, as slowly and as plainly as it can be said. */
function expected(paths: readonly string[], slices: readonly (readonly string[])[]): string[][] {
  const folderOf = (path: string): string => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) : '.');
  const files = paths.map((path) => path.replace(/\/$/, ''));
  const all = new Set(['.']);
  for (const path of files) for (let at = path; at !== '.'; at = folderOf(at)) all.add(at);
  const childrenOf = (folder: string): string[] => [...all].filter((path) => path !== '.' && folderOf(path) === folder);
  const used = new Set<string>();
  const found: string[][] = [];
  for (const globs of slices) {
    const here = new Set<string>();
    const add = (path: string): void => {
      if (used.has(path)) return;
      for (const child of childrenOf(path)) add(child);
      here.add(path);
      used.add(path);
    };
    for (const glob of globs) for (const path of all) if (path !== '.' && goMatch(glob, path)) add(path);
    const leading = new Set<string>();
    for (const path of here) for (let at = path; at !== '.';) leading.add((at = folderOf(at)));
    const deepestFirst = [...leading].filter((path) => !here.has(path)).sort((a, b) => depth(b) - depth(a));
    for (const path of deepestFirst) if (childrenOf(path).every((child) => used.has(child))) used.add(path);
    found.push([...new Set([...here, ...leading])].sort());
  }
  found.push([...all].filter((path) => !used.has(path)).sort());
  return found;
}

const depth = (path: string): number => (path === '.' ? 0 : path.split('/').length);

suite('the app is sliced', () => {
  test('as the lifecycle slices its own fixture', async () => {
    const paths = [
      'file.txt',
      'some-dir/file.md',
      'some-dir/some-file.txt',
      'other-dir/other-file.md',
      'other-dir/other-file.txt',
    ];
    assert.deepEqual(await layersOf(paths, [['*.txt', '**/*.txt'], ['other-dir'], ['dir-link/*']]), [
      ['.', 'file.txt', 'other-dir', 'other-dir/other-file.txt', 'some-dir', 'some-dir/some-file.txt'],
      ['.', 'other-dir', 'other-dir/other-file.md'],
      [],
      ['.', 'some-dir', 'some-dir/file.md'],
    ]);
  });

  test('by absolute globs, too, where they lie in the app', async () => {
    assert.deepEqual(await layersOf(['a/x', 'b/x', 'c'], [['/workspace/*/x'], ['/elsewhere/*', '/workspace/c/']]), [
      ['.', 'a', 'a/x', 'b', 'b/x'],
      ['.', 'c'],
      [],
    ]);
  });

  test('with folders that became empty by it counted as taken, and empty ones of the app kept', async () => {
    assert.deepEqual(await layersOf(['a/b/x', 'a/b/y', 'e/'], [['a/b/x'], ['a/b/y']]), [
      ['.', 'a', 'a/b', 'a/b/x'],
      ['.', 'a', 'a/b', 'a/b/y'],
      ['.', 'e'],
    ]);
  });

  test('not by globs that lead out, nor by the app itself', async () => {
    assert.deepEqual(await layersOf(['a'], [['.', '../workspace/a', '']]), [[], ['.', 'a']]);
  });

  test("by Go's globs only", async () => {
    await assert.rejects(layersOf(['a'], [['[a']]), { code: 'CNB_FILE_INVALID', message: /glob "\[a": syntax error/ });
  });

  test('random apps by random globs', async () => {
    const name = fc.constantFrom('a', 'b', 'a-b', 'c.txt', 'd.txt');
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const part = fc.constantFrom('a', 'b', '*', '?', '*.txt', 'a*', '[ab]', '[^a]', '**', 'a[^x]b');
    const glob = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const paths = fc
      .uniqueArray(path, { maxLength: 12 })
      // What is a folder cannot be a file.
      .map((all) => all.filter((one) => !all.some((other) => other.startsWith(`${one}/`))));
    await fc.assert(
      fc.asyncProperty(paths, fc.array(fc.array(glob, { maxLength: 3 }), { maxLength: 4 }), async (paths, slices) => {
        assert.deepEqual(await layersOf(paths, slices), expected(paths, slices));
      }),
      { numRuns: 300 },
    );
  });
});
