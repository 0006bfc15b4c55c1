import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { CodedError } from '../../../base/index.ts';
import type { MemoryFile } from '../../../tree/index.ts';
import type { BuiltBuildpack, PlanEntry, Requirement } from '../model/types.ts';
import { mergeMetadata } from './merge-metadata.ts';
import { buildpackPlan, nextPlan } from './plans.ts';
import { readBuilt } from './read-built.ts';
import { element, treeOf } from './tree.suite.ts';

const plan: readonly Requirement[] = [
  { name: 'x', metadata: { by: 'c' } },
  { name: 'y', metadata: {} },
];

async function built(
  record: Record<string, MemoryFile>,
  o: { api?: string; id?: string; sbomFormats?: readonly string[] } = {},
): Promise<BuiltBuildpack> {
  const id = o.id ?? 'a/b';
  const files = await treeOf(
    Object.fromEntries(
      Object.entries(record).map(([name, text]) => [`layers/${id.replaceAll('/', '_')}/${name}`, text]),
    ),
  );
  return readBuilt(files, {
    layersDir: '/layers',
    element: element(id, o.api ?? '0.12'),
    sbomFormats: o.sbomFormats ?? [],
    plan,
  });
}

async function refuses(
  record: Record<string, MemoryFile>,
  words: string,
  o: { api?: string; sbomFormats?: readonly string[] } = {},
): Promise<void> {
  await assert.rejects(built(record, o), (error) => {
    assert.ok(error instanceof CodedError && error.code === 'CNB_FILE_INVALID', String(error));
    assert.ok(error.message.includes(words), error.message);
    return true;
  });
}

suite('what a bin/build left', () => {
  test('every *.toml but the reserved ones is a layer, by name; a folder without one is none', async () => {
    const { layers } = await built({
      'z.toml': '[types]\nlaunch = true\n',
      'a.toml': '[types]\nbuild = true\n[metadata]\nv = 1\n',
      'a-b.toml': '[types]\ncache = true\n',
      'a/f': '',
      'loose/f': '',
      'launch.toml': '',
      'build.toml': '',
      'store.toml': '',
      'other.txt': '',
      // A layer of this name.
      'dir.toml/f': '',
      'dir.toml.toml': '[types]\nlaunch = true\n',
    });
    assert.deepEqual(
      layers.map(({ name, hasFolder, toml }) => [name, hasFolder, toml.launch, toml.build, toml.cache]),
      [
        ['a', true, false, true, false],
        ['a-b', false, false, false, true],
        ['dir.toml', true, true, false, false],
        ['z', false, true, false, false],
      ],
    );
    assert.deepEqual(layers[0]?.toml.metadata, { v: 1 });
  });

  test('nothing at all', async () => {
    const { layers, launch, unmet, store, met, ignored, sbom } = await built({});
    assert.deepEqual(
      [layers, launch.processes, unmet, store, met, ignored, sbom],
      [[], [], [], undefined, ['x', 'y'], [], []],
    );
  });

  test('a layer of no type is ignored: its folder is to be renamed', async () => {
    const { ignored } = await built({
      'none.toml': '[metadata]\nv = 1\n',
      'none/f': '',
      'gone.toml': '',
      'build.toml': '',
      'cached.toml': '[types]\ncache = true\n',
      'cached/f': '',
    });
    assert.deepEqual(ignored, ['none']);
  });

  test('a layer’s toml that may not be fails with its file', async () => {
    await refuses({ 'l.toml': 'launch = true\n' }, '"/layers/a_b/l.toml"');
    await refuses({ 'l.toml': '[types]\nlaunch = "yes"\n' }, '"types.launch"');
  });

  test('a layer that is no folder, and a toml that is no file, are refused by name', async () => {
    const launched = { 'l.toml': '[types]\nlaunch = true\n' };
    const remedy = '"/layers/a_b/l" of buildpack "a/b": it is';
    await refuses(
      { ...launched, l: { type: 'symlink', link: 'm' }, 'm/f': '' },
      `${remedy} a symbolic link, not a folder`,
    );
    await refuses({ ...launched, l: 'text' }, `${remedy} a file, not a folder`);
    await refuses({ ...launched, l: { type: 'fifo' } }, `${remedy} a FIFO, not a folder`);
    // Of no type it is nobody's business.
    assert.equal((await built({ 'l.toml': '', l: 'text' })).layers[0]?.hasFolder, false);
    for (const name of ['l.toml', 'launch.toml', 'build.toml', 'store.toml']) {
      await refuses({ [`${name}/f`]: '' }, `read "/layers/a_b/${name}": it is a folder, not a file`);
      await refuses({ [name]: { type: 'fifo' } }, 'it is a FIFO, not a file');
      await refuses({ [name]: { type: 'symlink', link: name } }, 'it is a symbolic link that leads to no file');
      await refuses({ [name]: { type: 'symlink', link: 'gone' } }, 'it is a symbolic link that leads to no file');
    }
    const linked = await built({ 'store.toml': { type: 'symlink', link: 'real' }, real: '[metadata]\nk = 1\n' });
    assert.deepEqual(linked.store, { k: 1 });
  });

  test('unmet names must be in the plan, and not be empty', async () => {
    assert.deepEqual((await built({ 'build.toml': '[[unmet]]\nname = "x"\n' })).unmet, ['x']);
    assert.deepEqual((await built({ 'build.toml': '[[unmet]]\nname = "x"\n' })).met, ['y']);
    await refuses({ 'build.toml': '[[unmet]]\nname = "z"\n' }, 'unmet.name "z" must match a requested dependency');
    await refuses({ 'build.toml': '[[unmet]]\nname = ""\n' }, 'is empty');
  });

  test('store.toml', async () => {
    assert.deepEqual((await built({ 'store.toml': '[metadata]\nk = ["v"]\n' })).store, { k: ['v'] });
  });

  test('before Buildpack API 0.8 a working folder is passed over, with a warning', async () => {
    const record = { 'launch.toml': '[[processes]]\ntype = "web"\ncommand = "x"\nworking-dir = "/w"\n' };
    const old = await built(record, { api: '0.7' });
    assert.equal(old.launch.processes[0]?.workingDir, '');
    assert.match(old.warnings?.[0] ?? '', /Ignoring working directory for process 'web'/);
    const later = await built(record, { api: '0.8' });
    assert.equal(later.launch.processes[0]?.workingDir, '/w');
    assert.deepEqual(later.warnings, []);
  });

  const formats = ['application/vnd.cyclonedx+json;version=1.4', 'application/spdx+json', 'application/vnd.syft+json'];

  test('SBOM files and where each goes', async () => {
    const { sbom } = await built(
      {
        'launch.sbom.cdx.json': '{}',
        'build.sbom.spdx.json': '{}',
        'l.toml': '[types]\nlaunch = true\ncache = true\n',
        'l.sbom.syft.json': '{}',
        'b.toml': '[types]\nbuild = true\n',
        'b.sbom.cdx.json': '{}',
        'with.point.toml': '[types]\nlaunch = true\n',
        'with.point.sbom.cdx.json': '{}',
        'unknown.sbom.cdx.json': '{}',
      },
      { sbomFormats: formats },
    );
    assert.deepEqual(
      sbom?.map(({ from, to }) => [from.replace('/layers/a_b/', ''), to.replace('/layers/sbom/', '')]).sort(),
      [
        ['b.sbom.cdx.json', 'build/a_b/b/sbom.cdx.json'],
        ['build.sbom.spdx.json', 'build/a_b/sbom.spdx.json'],
        ['l.sbom.syft.json', 'cache/a_b/l/sbom.syft.json'],
        ['l.sbom.syft.json', 'launch/a_b/l/sbom.syft.json'],
        ['launch.sbom.cdx.json', 'launch/a_b/sbom.cdx.json'],
        ['with.point.sbom.cdx.json', 'launch/a_b/with.point/sbom.cdx.json'],
      ],
    );
  });

  test('an SBOM of a format that was not declared, or that nobody knows, fails', async () => {
    await refuses({ 'launch.sbom.cdx.json': '{}' }, '"application/vnd.cyclonedx+json" is not declared', {
      sbomFormats: ['application/spdx+json'],
    });
    await refuses({ 'launch.sbom.xml.json': '{}' }, 'SBOM format "xml" is not supported', { sbomFormats: formats });
    assert.deepEqual((await built({ 'unknown.sbom.xml.json': '{}' })).sbom, []);
  });
});

suite('the plan of each buildpack', () => {
  const by = (id: string): PlanEntry['providers'][number] => ({ kind: 'buildpack', id, version: '1.0.0' });
  const entries: readonly PlanEntry[] = [
    {
      providers: [by('a'), by('b')],
      requires: [
        { name: 'x', metadata: { n: 1 } },
        { name: 'x', metadata: { n: 2 } },
      ],
    },
    { providers: [by('b')], requires: [{ name: 'y', metadata: {} }] },
    { providers: [{ ...by('a'), kind: 'extension' }], requires: [{ name: 'z', metadata: {} }] },
  ];

  test('all entries of which it is a provider, their requirements one after the other', () => {
    assert.deepEqual(
      buildpackPlan(entries, by('b')).map(({ name, metadata }) => [name, metadata['n']]),
      [
        ['x', 1],
        ['x', 2],
        ['y', undefined],
      ],
    );
    assert.deepEqual(
      buildpackPlan(entries, by('a')).map(({ name }) => name),
      ['x', 'x'],
    );
    assert.deepEqual(
      buildpackPlan(entries, { ...by('a'), kind: 'extension' }).map(({ name }) => name),
      ['z'],
    );
    assert.deepEqual(buildpackPlan(entries, by('c')), []);
  });

  test('what was met is gone for later ones, what was not goes to the next provider', () => {
    assert.deepEqual(buildpackPlan(nextPlan(entries, { met: ['x'] }), by('b')), [{ name: 'y', metadata: {} }]);
    assert.deepEqual(nextPlan(entries, { met: [] }), entries);
    assert.equal(buildpackPlan(nextPlan(entries, { met: [] }), by('b')).length, 3);
  });
});

suite('all buildpacks of a build in one', () => {
  const launch = (...lines: readonly (readonly [type: string, isDefault?: boolean])[]): Record<string, string> => ({
    'launch.toml': lines
      .map(
        ([type, isDefault]) =>
          `[[processes]]\ntype = "${type}"\ncommand = ["${type}"]\n${isDefault ? 'default = true\n' : ''}`,
      )
      .join(''),
  });
  const options = { extensions: [], platformApi: '0.15', layersDir: '/layers' };
  const merged = async (...records: Record<string, string>[]): Promise<ReturnType<typeof mergeMetadata>> =>
    mergeMetadata(await Promise.all(records.map((record, index) => built(record, { id: `b${index}` }))), options);

  test('processes by type, sorted, the last definition of each', async () => {
    const { metadata } = await merged(launch(['web'], ['b']), launch(['web'], ['a']));
    assert.deepEqual(
      metadata.processes.map(({ type, buildpackId, isDefault }) => [type, buildpackId, isDefault]),
      [
        ['a', 'b1', false],
        ['b', 'b0', false],
        ['web', 'b1', false],
      ],
    );
  });

  test('the last default wins', async () => {
    assert.equal((await merged(launch(['web', true]), launch(['job', true]))).metadata.defaultProcess, 'job');
    assert.equal((await merged(launch(['web', true]), launch(['job']))).metadata.defaultProcess, 'web');
    assert.equal((await merged(launch(['web']))).metadata.defaultProcess, undefined);
  });

  test('a later process of the default’s type that is none leaves no default, with a warning', async () => {
    const { metadata, warnings } = await merged(launch(['web', true]), launch(['web']));
    assert.equal(metadata.defaultProcess, undefined);
    assert.deepEqual(warnings, [
      'Warning: redefining the following default process type with a process not marked as default: web',
    ]);
    const again = await merged(launch(['web', true]), launch(['web'], ['job', true]));
    assert.equal(again.metadata.defaultProcess, 'job');
    assert.deepEqual(again.warnings, []);
  });

  test('slices and labels one after the other', async () => {
    const { metadata } = await merged(
      { 'launch.toml': '[[slices]]\npaths = ["a"]\n[[labels]]\nkey = "k"\nvalue = "1"\n' },
      { 'launch.toml': '[[slices]]\npaths = ["b"]\n[[slices]]\npaths = ["c"]\n[[labels]]\nkey = "k"\nvalue = "2"\n' },
    );
    assert.deepEqual(metadata.slices, [{ paths: ['a'] }, { paths: ['b'] }, { paths: ['c'] }]);
    assert.deepEqual(
      metadata.labels.map(({ value }) => value),
      ['1', '2'],
    );
    assert.deepEqual(
      metadata.buildpacks.map(({ id }) => id),
      ['b0', 'b1'],
    );
  });

  test('the deprecated bill of materials is two files since Platform API 0.9, always; before it is in the metadata', async () => {
    const none = await merged({});
    assert.deepEqual(none.sbomFiles, [
      { path: '/layers/sbom/launch/sbom.legacy.json', content: 'null\n' },
      { path: '/layers/sbom/build/sbom.legacy.json', content: 'null\n' },
    ]);
    assert.equal(none.metadata.bom, undefined);
    const record = { 'launch.toml': '[[bom]]\nname = "l"\n', 'build.toml': '[[bom]]\nname = "b"\n' };
    const some = await merged(record);
    assert.deepEqual(
      some.sbomFiles.map(({ content }) => content),
      ['l', 'b'].map((name) => `[{"name":"${name}","metadata":null,"buildpack":{"id":"b0","version":"1.0.0"}}]\n`),
    );
    assert.match(some.warnings[0] ?? '', /^BOM table is deprecated/);
    const old = mergeMetadata([await built(record)], { ...options, platformApi: '0.8' });
    assert.deepEqual(old.sbomFiles, []);
    assert.deepEqual(old.metadata.bom, [{ name: 'l', metadata: {}, buildpack: { id: 'a/b', version: '1.0.0' } }]);
  });
});
