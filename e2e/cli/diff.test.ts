import assert from 'node:assert/strict';
import { chmodSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { systemRandom } from '../../src/base/index.ts';
import { makeIndex, openArchive, selectImage, writeLayout, type IndexMember } from '../../src/image/index.ts';
import { ok, strake } from '../lib/strake.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { dockerRegistry, lacking } from '../registry/world.ts';
import { folderWith } from './context.ts';

async function build(
  store: TestStore,
  words: readonly string[],
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const context = folderWith(join(store.work, `context-${readdirSync(store.work).length}`), files);
  const epoch = { SOURCE_DATE_EPOCH: '1000000000' };
  await ok(['build', '-q', ...words, context], { ...store, env: epoch });
  return context;
}

const ONE = { Dockerfile: 'FROM scratch\nCOPY f g /d/\nENV A=1\n', f: 'one\n', g: 'same\n' };
const TWO = { Dockerfile: 'FROM scratch\nCOPY f g /d/\nENV A=2\n', f: 'two\n', g: 'same\n' };

suite('strake diff', () => {
  test('the same image is the same wherever it lies', { skip: lacking('docker-registry') }, async () => {
    using store = emptyStore();
    await using registry = await dockerRegistry(store.work);
    const [archive, layout, folder, tar] = ['a.tar', 'layout', 'folder', 'root.tar'].map((name) =>
      join(store.work, name),
    );
    await build(
      store,
      [
        '-t',
        'one',
        '-o',
        'type=image,name=one',
        '-o',
        `type=oci,dest=${archive}`,
        '-o',
        `type=local,dest=${folder}`,
        '-o',
        `type=tar,dest=${tar}`,
      ],
      ONE,
    );
    await ok(['copy', `oci-archive:${archive}`, `oci:${layout}`], store);
    await ok(
      [
        '--root',
        store.root,
        'copy',
        '-q',
        '--insecure-registry',
        registry.host,
        `oci:${layout}`,
        `docker://${registry.host}/a:1`,
      ],
      store,
    );
    const places = ['one', archive!, `oci:${layout}`, `docker://${registry.host}/a:1`, `dir:${folder}`, tar!];
    for (const place of places) {
      const { stdout } = await ok(['diff', '--insecure-registry', registry.host, 'one', place], store);
      assert.equal(stdout, 'the same\n', place);
    }
    // Nothing is left of the layers that were looked into.
    assert.deepEqual(readdirSync(join(store.root, 'tmp')), []);
  });

  test('differences are told, and the exit code is 1; what is ignored may differ', async () => {
    using store = emptyStore();
    await build(store, ['-t', 'one'], ONE);
    await build(store, ['-t', 'two'], TWO);
    const { code, stdout } = await strake(['diff', 'one', 'two'], store);
    assert.equal(code, 1);
    assert.match(stdout, /^files\n {2}~ d\/f\n {4}content: sha256:[0-9a-f]{64} => sha256:[0-9a-f]{64}\nconfig\n/);
    assert.match(stdout, /\n {2}~ config\.Env\.A\n {4}"1"\n {4}=> "2"\n/);
    assert.match(stdout, /\ndifferent: files 1, config 1, history 1, layers 1\n$/);
    const ignoring = ['--ignore', 'content,config', '--ignore', 'history,layers'];
    assert.equal((await ok(['diff', ...ignoring, 'one', 'two'], store)).stdout, 'the same\n');
    const quiet = await strake(['diff', '-q', 'one', 'two'], store);
    assert.deepEqual([quiet.code, quiet.stdout], [1, '']);
    const json = await strake(['diff', '--format', 'json', 'one', 'two'], store);
    const report = JSON.parse(json.stdout) as { same: boolean; differences: { part: string; at?: string }[] };
    assert.equal(report.same, false);
    assert.deepEqual(
      report.differences.map(({ part, at }) => at ?? part),
      ['files', 'config.Env.A', 'history[1].created_by', 'layers[0]'],
    );
  });

  test('a folder on the other side', async () => {
    using store = emptyStore();
    const folder = join(store.work, 'out');
    await build(store, ['-o', 'type=image,name=one', '-o', `type=local,dest=${folder}`], ONE);
    chmodSync(join(folder, 'd/g'), 0o600);
    writeFileSync(join(folder, 'new'), 'new');
    const { stdout } = await strake(['diff', '--ignore', 'times', 'one', folder], store);
    assert.equal(
      stdout,
      `files\n  ~ d/g\n    mode: 0644 => 0600\n  + new  (file 0644 ${process.getuid?.()}:${process.getgid?.()}, 3 bytes)\ndifferent: files 2\n`,
    );
  });

  test('indexes: each platform by itself', async () => {
    using store = emptyStore();
    const index = async (name: string, files: typeof ONE, platforms: readonly string[]): Promise<string> => {
      const members = platforms.map((platform) => join(store.work, `${name}-${platform.replace('/', '-')}.tar`));
      for (const [at, platform] of platforms.entries())
        await build(store, ['--platform', platform, '-o', `type=oci,dest=${members[at]}`], files);
      const layout = join(store.work, name);
      await using archives = new AsyncDisposableStack();
      const images: IndexMember[] = [];
      for (const path of members) {
        const archive = archives.use(await openArchive(path, { temp: store.work, random: systemRandom }));
        const value = await selectImage(archive, { what: path }).open();
        images.push({ image: value });
      }
      await writeLayout(layout, [{ image: makeIndex(images, { mediaTypes: 'oci' }) }], { random: systemRandom });
      return layout;
    };
    const a = await index('a', ONE, ['linux/amd64', 'linux/arm64']);
    const b = await index('b', TWO, ['linux/arm64', 'linux/s390x']);
    const { stdout } = await strake(['diff', '--ignore', 'layers,history', a, b], store);
    assert.match(stdout, /^platforms\n {2}- linux\/amd64/);
    assert.match(stdout, /\nfiles of linux\/arm64\n {2}~ d\/f\n/);
    assert.match(stdout, /\nplatforms\n {2}\+ linux\/s390x/);
    const { code } = await strake(['diff', '--platform', 'linux/arm64', a, a], store);
    assert.equal(code, 0);
  });

  test('what cannot be compared is said', async () => {
    using store = emptyStore();
    await build(store, ['-t', 'one'], ONE);
    const cases: [string[], RegExp, number][] = [
      [['one', 'nothing'], /"nothing": it is not in the local store/, 66],
      [['one', 'dir:/nothing/there'], /there is no such folder/, 64],
      [['one', 'dir:'], /there is no such folder/, 64],
      [['--ignore', 'tines', 'one', 'one'], /there is no such part\nhelp: Use one or more of files, times/, 64],
      [['one', join(store.work, 'context-0/Dockerfile')], /read archive .*ends in the middle/, 64],
    ];
    for (const [words, message, expected] of cases) {
      const { code, stderr } = await strake(['diff', ...words], store);
      assert.match(stderr, message);
      assert.equal(code, expected, words.join(' '));
    }
  });
});
