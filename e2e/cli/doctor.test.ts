import assert from 'node:assert/strict';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { testUser, userLacking } from '../lib/user.ts';
import { folderWith } from './context.ts';

interface Report {
  readonly buildsWithRun: boolean;
  readonly sections: readonly {
    readonly title: string;
    readonly findings: readonly { readonly name: string; readonly state: string; readonly text: string }[];
  }[];
}

suite('doctor', () => {
  for (const as of ['this user', 'an ordinary user'] as const)
    test(
      `as ${as}: every part is told of, and the exit code says whether RUN works`,
      { skip: as === 'this user' ? false : (userLacking() ?? false) },
      async () => {
        using user = as === 'this user' ? undefined : testUser();
        using store = emptyStore(user);
        const { code, stdout, stderr } = await strake(['doctor', '--format', 'json'], {
          root: store.root,
          user,
          cwd: '/',
        });
        const report = JSON.parse(stdout) as Report;
        assert.equal(stderr, '');
        assert.equal(code, report.buildsWithRun ? 0 : 78);
        assert.deepEqual(
          report.sections.map(({ title }) => title),
          ['Machine', 'Running steps', 'Programs', 'Bases, registries, daemons', 'Store'],
        );
        const names = report.sections.flatMap(({ findings }) => findings.map(({ name }) => name));
        for (const name of [
          'Node',
          'cgroups',
          'RUN',
          'crun',
          'runc',
          'builtin',
          'network',
          'gpgv',
          'git',
          'keyring',
          'logins',
          'folder',
          'space',
        ])
          assert.ok(names.includes(name), `${name} in ${names.join(' ')}`);
        assert.deepEqual(leftovers(store.root), []);
      },
    );

  test('for people', async () => {
    using store = emptyStore();
    const { stdout } = await strake(['doctor'], store);
    assert.match(stdout, /^strake \d/);
    assert.match(stdout, /^Running steps$/m);
    assert.match(stdout, /^Builds with RUN (do not )?work here/m);
  });

  test('--check-store finds a blob that is not what it was', async () => {
    using store = emptyStore();
    await ok(
      ['build', '-q', folderWith(join(store.work, 'c'), { Dockerfile: 'FROM scratch\nCOPY x /\n', x: 'x' })],
      store,
    );
    assert.match((await ok(['doctor', '--check-store'], store)).stdout, /^The store is whole: \d+ blobs? read\.$/m);
    const folder = join(store.root, 'blobs/sha256');
    const [blob = ''] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
      statSync(join(folder, name)).isFile(),
    );
    writeFileSync(join(folder, blob), 'something else');
    const damaged = await strake(['doctor', '--check-store'], store);
    assert.equal(damaged.code, 1);
    assert.match(damaged.stdout, /^blob sha256:/m);
    assert.match(damaged.stderr, /^error: check the store .*: \d problem/m);
    const json = await strake(['doctor', '--check-store', '--format', 'json'], store);
    assert.ok((JSON.parse(json.stdout) as { problems: unknown[] }).problems.length > 0);
  });
});
