import assert from 'node:assert/strict';
import { rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { buildTestBuilder, write, writeBuildpack } from './test-builder.ts';

/** Makes layers of whatever a file system holds. */
const ODD = `
cd "$CNB_LAYERS_DIR"
for name in './a b' './x*[y]' './a!b' ./-n './new
line'; do
  printf '[types]\\nlaunch = true\\ncache = true\\n' > "$name.toml"
  if [ -p "$name/fifo" ]; then echo restored; ls -l "$name/set"; continue; fi
  mkdir -p "$name"
  busybox mkfifo "$name/fifo"
  echo x > "$name/set"; chmod 6755 "$name/set"
  ln -s /etc/passwd "$name/absolute"; ln -s ../../../../.. "$name/up"; ln -s loop "$name/loop"
done
busybox mknod device c 1 3 2>/dev/null && echo made a device || true
`;

suite('what a build by buildpacks refuses, and what it takes', () => {
  let store: TestStore;
  let app: string;

  before(async () => {
    store = emptyStore();
    app = join(store.work, 'app');
    write(join(app, 'file'), 'x\n');
    await buildTestBuilder(store, { buildpacks: [{ id: 'test/odd', build: ODD }] });
  });
  after(() => store[Symbol.dispose]());

  const refused = async (flags: readonly string[], says: RegExp): Promise<void> => {
    const args = ['build', '--progress=plain', '-B', 'builder', ...flags, app];
    const { code, stderr } = await strake(args, { root: store.root });
    assert.equal(code, 64, stderr);
    assert.match(stderr, says);
    assert.doesNotMatch(stderr, /\n\s+at /);
  };

  test('odd files and odd names of layers become layers, and are restored', async () => {
    const args = ['build', '--progress=plain', '-B', 'builder', '-t', 'odd', '--workspace', '/app/', app];
    const { stderr, stdout } = await ok(args, { root: store.root });
    assert.match(stderr, /Adding layer 'test\/odd:x\*\[y\]'/);
    assert.doesNotMatch(stderr, /made a device|restored/);
    const again = await ok(args, { root: store.root });
    assert.equal(again.stderr.match(/ restored$/gm)?.length, 5, again.stderr);
    assert.equal(again.stderr.match(/ -rwsr-sr-x /g)?.length, 5);
    assert.equal(again.stdout, stdout);
    assert.deepEqual(leftovers(store.root), []);
  });

  for (const folder of ['app', '/', '/app/../cnb', '/layers', '/platform/env', '/run', '/app//x'])
    test(`--workspace ${folder}`, () =>
      refused(['--workspace', folder], /put the application into "[^"]+": .*(?:absolute path|something else)/));

  for (const name of ['A/B', '../B', '..'])
    test(`a variable "${name}"`, () => refused(['-e', `${name}=1`], /set variable "[^"]+": there can be no file/));

  test('a secret that would be mounted elsewhere', async () => {
    const token = join(store.work, 'token');
    write(token, 'x');
    await refused(['--secret', `id=../../etc/x,src=${token}`], /give secret "\.\.\/\.\.\/etc\/x"/);
  });

  test('buildpacks without a name, or of another machine', async () => {
    await refused(['-b', ''], /use buildpack "": it has no name/);
    await refused(['-b', 'file://elsewhere/folder'], /use buildpack "file:\/\/elsewhere\/folder": /);
  });

  test('a secret for a buildpack that does not take part is a warning', async () => {
    const token = join(store.work, 'token');
    write(token, 'x');
    const secrets = ['test/odd', 'test/od'].flatMap((id) => [
      '--secret',
      `id=t-${id.length},src=${token},buildpack=${id}`,
    ]);
    const { stderr } = await ok(['build', '--progress=plain', '-B', 'builder', ...secrets, app], { root: store.root });
    assert.match(stderr, /secret "t-7" is for buildpack "test\/od", which does not build this application/);
    assert.doesNotMatch(stderr, /secret "t-8" is for/);
  });

  test('a project descriptor that is no file; one that is a link is read', async () => {
    const other = join(store.work, 'described');
    write(join(other, 'project.toml/file'), 'x');
    const args = ['build', '--progress=plain', '-B', 'builder', '--by-buildpacks', other];
    const folder = await strake(args, { root: store.root });
    assert.equal(folder.code, 64);
    assert.match(folder.stderr, /read project descriptor "project\.toml": it is a folder, not a file/);
    rmSync(join(other, 'project.toml'), { recursive: true });
    write(join(other, 'conf/real.toml'), '[_]\nschema-version = "0.2"\n[io.buildpacks]\nbuilder = "no-such-builder"\n');
    symlinkSync('conf/real.toml', join(other, 'project.toml'));
    const linked = await strake(['build', '--pull-policy=never', '--progress=plain', '--by-buildpacks', other], {
      root: store.root,
    });
    assert.match(linked.stderr, /no-such-builder/);
    rmSync(join(other, 'project.toml'));
    symlinkSync('gone', join(other, 'project.toml'));
    const dangling = await strake(args, { root: store.root });
    assert.match(dangling.stderr, /it is a symbolic link that leads to no file/);
  });

  test('layers that are no folders and files that are none are named', async () => {
    const cases: readonly (readonly [script: string, says: RegExp])[] = [
      [
        'ln -s /tmp x; printf "[types]\\nlaunch = true\\n" > x.toml',
        /layer "\/layers\/test_bad\/x" of buildpack "test\/bad": it is a symbolic link, not a folder/,
      ],
      [
        'echo x > x; printf "[types]\\ncache = true\\n" > x.toml',
        /layer "\/layers\/test_bad\/x" .*: it is a file, not a folder/,
      ],
      ['mkdir launch.toml', /read "\/layers\/test_bad\/launch\.toml": it is a folder, not a file/],
      ['/bin/busybox mkfifo x.toml', /read "\/layers\/test_bad\/x\.toml": it is a FIFO, not a file/],
      [
        'ln -s launch.toml launch.toml',
        /read "\/layers\/test_bad\/launch\.toml": it is a symbolic link that leads to no file/,
      ],
    ];
    for (const [script, says] of cases) {
      const folder = join(store.work, 'bad');
      writeBuildpack(folder, { id: 'test/bad', build: `cd "$CNB_LAYERS_DIR"\n${script}` });
      await refused(['-b', folder], says);
    }
    assert.deepEqual(leftovers(store.root), []);
  });

  test('a descriptor that is named and not there', () =>
    refused(['--descriptor', 'other.toml'], /read project descriptor "other.toml": the application has no such file/));

  test('bindings of one name, and files that have no place', async () => {
    const [one, two, three] = ['one/db', 'two/db', 'three/db2'].map((name) => join(store.work, name));
    for (const folder of [one, two, three]) write(join(folder!, 'type'), 'any');
    await refused(['--binding', one!, '--binding', two!], /there is another binding "db"/);
    write(join(three!, 'a,b'), 'x');
    await refused(['--binding', three!], /the file "a,b" has a comma/);
  });
});
