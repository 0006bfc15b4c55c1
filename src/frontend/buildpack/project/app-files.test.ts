import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import * as fc from 'fast-check';
import { collect } from '../../../base/index.ts';
import { viewTree, type FileTree, type MemoryFile } from '../../../tree/index.ts';
import { memoryFiles } from '../export/plan-tree.suite.ts';
import { appFilter, filteredSource, selectAppFiles } from './app-files.ts';
import { GitIgnore } from './git-ignore.ts';

const TREE = Object.fromEntries(
  ['cmd/main.go', 'cmd/sub/x', 'lib/a.go', 'lib/deep/b.go', 'lib/c.txt', 'README', 'empty/', 'logs/', 'logs/a.log'].map(
    (path) => [path, path.endsWith('/') ? '' : path],
  ),
);

/** What is left of a folder. */
async function left(
  project: { include?: string[]; exclude?: string[] },
  tree: Record<string, MemoryFile> = TREE,
): Promise<FileTree> {
  const filter = appFilter({ include: [], exclude: [], ...project })!;
  const source = { tree: async () => viewTree((await memoryFiles(tree)).view) };
  return filteredSource(source, filter).tree({});
}

const pathsOf = async (tree: FileTree): Promise<string[]> => (await tree.entries()).map(({ path }) => path);

suite('the files of an app', () => {
  test('are all where nothing is said', () => {
    assert.equal(appFilter({ include: [], exclude: [] }), undefined);
  });

  test('are what is included, with the folders that lead there', async () => {
    assert.deepEqual(await pathsOf(await left({ include: ['cmd/', '*.go', '!b.go'] })), [
      'cmd',
      'cmd/main.go',
      'cmd/sub',
      'cmd/sub/x',
      'lib',
      'lib/a.go',
    ]);
    assert.deepEqual(await pathsOf(await left({ include: ['lib/deep/*'] })), ['lib', 'lib/deep', 'lib/deep/b.go']);
    assert.deepEqual(await pathsOf(await left({ include: ['none'] })), []);
  });

  test('are what is not excluded, folders too', async () => {
    assert.deepEqual(await pathsOf(await left({ exclude: ['/cmd', '*.go', '*.log'] })), [
      'README',
      'empty',
      'lib',
      'lib/c.txt',
      'lib/deep',
      'logs',
    ]);
  });

  test('keep the content of a file whose first name is left out', async () => {
    const tree = await left(
      { exclude: ['a/'] },
      {
        'a/one': 'same',
        'b/two': { type: 'hardlink', link: 'a/one' },
        'c/three': { type: 'hardlink', link: 'a/one' },
      },
    );
    const entries = await tree.entries();
    assert.deepEqual(
      entries.map(({ path, type, link }) => [path, type, link]),
      [
        ['b', 'directory', undefined],
        ['b/two', 'file', undefined],
        ['c', 'directory', undefined],
        ['c/three', 'hardlink', 'b/two'],
      ],
    );
    assert.equal(Buffer.from(await collect(tree.read(entries.slice(1, 2)))).toString(), 'same');
  });

  test('are selected in as few paths as may be', async () => {
    const select = async (project: { include?: string[]; exclude?: string[] }) => {
      const { files } = await memoryFiles(
        Object.fromEntries(Object.entries(TREE).map(([path, file]) => [`app/${path}`, file])),
      );
      return selectAppFiles('/app', { files, filter: appFilter({ include: [], exclude: [], ...project })! });
    };
    assert.deepEqual(await select({ include: ['cmd/', '*.go'] }), {
      trees: ['/app/cmd'],
      entries: ['/app', '/app/lib', '/app/lib/a.go', '/app/lib/deep', '/app/lib/deep/b.go'],
      except: [],
    });
    assert.deepEqual(await select({ exclude: ['cmd', '*.log'] }), {
      trees: ['/app'],
      entries: [],
      except: ['/app/cmd', '/app/logs/a.log'],
    });
    assert.deepEqual(await select({ include: ['none'] }), { trees: [], entries: [], except: [] });
  });

  test('are, as a source and as a selection, those that git would ignore, or would not', async () => {
    const name = fc.constantFrom('a', 'b', 'c.go', 'd');
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const paths = fc
      .uniqueArray(path, { minLength: 1, maxLength: 12 })
      .map((all) => all.filter((one) => !all.some((other) => other.startsWith(`${one}/`))));
    const pattern = fc
      .tuple(
        fc.constantFrom('', '', '!'),
        fc.array(fc.constantFrom('a', 'b', '*', '**', '*.go', 'd'), { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', '/'),
      )
      .map(([sign, parts, end]) => sign + parts.join('/') + end);
    await fc.assert(
      fc.asyncProperty(
        paths,
        fc.array(pattern, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        async (paths, patterns, includes) => {
          const project = includes ? { include: patterns } : { exclude: patterns };
          const tree = Object.fromEntries(paths.map((one) => [one, '']));
          const ignore = new GitIgnore(patterns);
          const wanted = paths.filter((one) => ignore.ignores(one, { folder: false }) === includes).sort();
          const filtered = await (await left(project, tree)).entries();
          assert.deepEqual(
            filtered
              .filter(({ type }) => type === 'file')
              .map(({ path }) => path)
              .sort(),
            wanted,
          );
          const { files } = await memoryFiles(tree);
          const { trees, entries, except } = await selectAppFiles('/', {
            files,
            filter: appFilter({ include: [], exclude: [], ...project })!,
          });
          const below = (list: readonly string[], one: string): boolean =>
            list.some((at) => at === '/' || `/${one}` === at || `/${one}`.startsWith(`${at}/`));
          const selected = paths
            .filter((one) => (below(trees, one) || entries.includes(`/${one}`)) && !below(except, one))
            .sort();
          assert.deepEqual(selected, wanted);
        },
      ),
      { numRuns: 200 },
    );
  });
});
