import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok, strake } from '../lib/strake.ts';
import { buildTestBuilder, write } from './test-builder.ts';

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
