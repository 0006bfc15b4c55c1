import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { craftedRegistry, rawTar, shellRoot, type RawEntry } from '../lib/crafted.ts';
import { failsWith, type FailureExpected } from '../lib/failure.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';
import { testUser, userLacking, type TestUser } from '../lib/user.ts';

const UP = '../../../../../../../../..';
const SHELL = rawTar(shellRoot());

/** A folder outside of everything, with a file that must stay as it is and alone. */
function canary(store: TestStore): { readonly folder: string; check(): void } {
  const folder = join(store.work, 'outside');
  mkdirSync(folder, { mode: 0o777 });
  writeFileSync(join(folder, 'canary'), 'sings\n', { mode: 0o666 });
  return {
    folder,
    check: () => {
      assert.deepEqual(readdirSync(folder), ['canary']);
      assert.equal(readFileSync(join(folder, 'canary'), 'utf8'), 'sings\n');
    },
  };
}

/** Entries that would write outside if links or names were taken as this machine's; an image with them is to be taken as if its root were all there is. */
function tricks(outside: string): RawEntry[][] {
  return [
    [
      // An absolute name means the root of the image.
      { name: `${outside}/absolute`, content: 'a' },
      { name: 'sly', type: 'symlink', target: outside },
      { name: 'sly/through', content: 'b' },
      { name: 'slyer', type: 'symlink', target: `${UP}${outside}` },
      { name: 'slyer/through-too', content: 'c' },
      { name: 'file-link', type: 'symlink', target: `${outside}/canary` },
      { name: 'file-link', content: 'replaces the link' },
      { name: 'to-canary', type: 'symlink', target: `${outside}/canary` },
      { name: 'second-name', type: 'link', target: 'to-canary' },
      { name: 'second-name', content: 'replaces the second name' },
      { name: 'later', type: 'symlink', target: outside },
      { name: 'later-up', type: 'symlink', target: `${UP}${outside}` },
    ],
    [
      // Through links that a lower layer made.
      { name: 'later/through-later', content: 'd' },
      { name: 'later-up/sub/', type: 'folder' },
      { name: 'later/.wh.canary', content: '' },
      { name: 'later-up/.wh..wh..opq', content: '' },
      { name: 'to-canary', content: 'replaces the link' },
    ],
  ];
}

const RUN =
  `RUN set -e; read -r line < /file-link || :; test "$line" = "replaces the link"; test -f /tmp; echo made > /later/made`.replace(
    'test -f /tmp; ',
    '',
  );

async function buildOnTricks(store: TestStore, user?: TestUser): Promise<void> {
  const outside = canary(store);
  await using registry = await craftedRegistry();
  const { name } = await registry.image('tricky', [SHELL, ...tricks(outside.folder).map(rawTar)]);
  const context = join(store.work, 'context');
  mkdirSync(context);
  writeFileSync(
    join(context, 'Dockerfile'),
    `FROM ${name}\n${RUN}\nCOPY Dockerfile /sly/copied\nRUN test -f /sly/copied\n`,
  );
  const o = { root: store.root, user, cwd: user?.home };
  const out = join(user?.home ?? store.work, 'root.tar');
  await ok(['build', '--progress=plain', '-o', `type=tar,dest=${out}`, context], o);
  outside.check();
  assert.deepEqual(leftovers(store.root), []);
  const names = execFileSync('tar', ['-tf', out], { encoding: 'utf8' }).split('\n');
  const inside = outside.folder.slice(1);
  for (const file of ['through-later', 'sub/', 'made', 'copied']) assert.ok(names.includes(`${inside}/${file}`), file);
  assert.ok(!names.some((path) => path.includes('..')), 'no name that leads out is written');
}

describe('bad input (must show 8): layers with tricks', () => {
  test('links and absolute names lead nowhere but into the image, as root', async () => {
    using store = emptyStore();
    await buildOnTricks(store);
  });

  test('the same as an ordinary user', { skip: userLacking() }, async () => {
    using user = testUser();
    using store = emptyStore(user);
    await buildOnTricks(store, user);
  });

  const refused: readonly {
    title: string;
    layer: (outside: string) => RawEntry[];
    steps?: readonly string[];
    expected: Pick<FailureExpected, 'code' | 'says' | 'help'>;
  }[] = [
    {
      title: 'a name that leads out by ".."',
      layer: (outside) => [{ name: `${UP}${outside}/escaped`, content: 'x' }],
      expected: { code: 77, says: ['path traversal', 'leads outside by ".."'], help: 'archive' },
    },
    {
      title: 'a whiteout that leads out by ".."',
      layer: (outside) => [{ name: `${UP}${outside}/.wh.canary`, content: '' }],
      expected: { code: 77, says: ['path traversal'], help: 'archive' },
    },
    {
      title: 'a hard link to a file outside',
      layer: (outside) => [{ name: 'hard', type: 'link', target: `${outside}/canary` }],
      // A COPY to elsewhere does not look at it.
      steps: ['RUN echo ran > /made'],
      expected: { code: 64, says: ['hard link', 'outside/canary'], help: 'who made it' },
    },
    {
      title: 'a hard link that leads out by ".."',
      layer: (outside) => [{ name: 'hard', type: 'link', target: `${UP}${outside}/canary` }],
      expected: { code: 77, says: ['path traversal', 'hard'], help: 'archive' },
    },
    {
      title: 'links that lead back to themselves, with a file behind them',
      layer: () => [
        { name: 'loop', type: 'symlink', target: 'pool' },
        { name: 'pool', type: 'symlink', target: 'loop' },
        { name: 'loop/file', content: 'x' },
      ],
      expected: { code: 64, says: ['too many symbolic links'], help: /./ },
    },
  ];
  for (const { title, layer, steps = ['RUN echo ran > /made', 'COPY Dockerfile /copied'], expected } of refused)
    test(`${title} is refused, by a RUN and by a COPY`, async () => {
      using store = emptyStore();
      const outside = canary(store);
      await using registry = await craftedRegistry();
      const { name } = await registry.image('tricky', [SHELL, rawTar(layer(outside.folder))]);
      const context = join(store.work, 'context');
      mkdirSync(context);
      for (const step of steps) {
        writeFileSync(join(context, 'Dockerfile'), `FROM ${name}\n${step}\n`);
        await failsWith(['build', '--progress=plain', context], {
          ...expected,
          root: store.root,
          place: { at: 'Dockerfile:2', line: step },
        });
        outside.check();
      }
    });
});
