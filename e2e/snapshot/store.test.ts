import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Database, hasCode, mountAll, sleep, sys, systemClock, systemRandom } from '../../src/base/index.ts';
import { CopySnapshotter, OverlaySnapshotter, probeOverlay, type StoredOptions } from '../../src/snapshot/index.ts';
import { writeLayer, type Member } from '../../src/snapshot/layer-tar.suite.ts';
import { editFolder, lookAtFolder } from '../../src/snapshot/tree-edits.suite.ts';
import type { Mount } from '../../src/tree/index.ts';
import { needsRoot } from './needs-root.ts';

/** Needs root. What a store of snapshots survives, and its limits. */
let folder: string;
let mountOptions: readonly string[];
before(() => {
  if (needsRoot !== false) return;
  sys.unshareMounts();
  folder = mkdtempSync(join(tmpdir(), 'strake-store-'));
  const probed = probeOverlay(folder, systemRandom);
  assert.ok('options' in probed, JSON.stringify(probed));
  mountOptions = probed.options;
});
after(() => folder === undefined || rmSync(folder, { recursive: true, force: true }));

class Store implements Disposable {
  readonly folder = mkdtempSync(join(folder, 's-'));
  readonly database = Database.open(join(this.folder, 'strake.db'));
  #layers = 0;

  open(o: Partial<StoredOptions> & { maxLayers?: number } = {}): OverlaySnapshotter {
    return new OverlaySnapshotter({ ...this.options(), mountOptions, ids: 'all', ...o });
  }

  options(): StoredOptions {
    return {
      folder: join(this.folder, 's'),
      database: this.database,
      clock: systemClock,
      random: systemRandom,
      idMapStamp: 'root',
    };
  }

  layer(members: readonly Member[]): { readonly path: string } {
    return writeLayer(join(this.folder, `${this.#layers++}.tar`), members);
  }

  within<T>(mounts: readonly Mount[], work: (root: string) => T): T {
    const root = join(this.folder, 'root');
    mkdirSync(root, { recursive: true });
    using _ = mountAll(mounts, root);
    return work(root);
  }

  /** What lies in the store's folder beside its owners, turns and trash. */
  content(): string[] {
    return [...readdirSync(join(this.folder, 's')), ...readdirSync(join(this.folder, 's/new'))]
      .filter((name) => !['new', 'owners', 'trash', 'turns'].includes(name))
      .sort();
  }

  [Symbol.dispose](): void {
    this.database[Symbol.dispose]();
  }
}

test('600 layers: the lower ones become one, whiteouts and replacements kept', { skip: needsRoot }, async () => {
  using store = new Store();
  await using s = store.open();
  const wanted: Record<string, string> = { '.': 'folder 0755 0:0', d: 'folder 0755 0:0' };
  let parent: string | undefined;
  for (let i = 0; i < 600; i++) {
    const members: Member[] = [{ name: `d/f${i}`, text: `${i}` }];
    wanted[`d/f${i}`] = `file 0644 0:0 ${i}`;
    if (i % 3 === 2) {
      members.push({ name: `d/.wh.f${i - 1}` });
      delete wanted[`d/f${i - 1}`];
    }
    await s.apply(parent, store.layer(members), `l${i}`);
    parent = `l${i}`;
  }
  await using view = await s.view('l599');
  assert.deepEqual(store.within(view.mounts, lookAtFolder), wanted);
  await using active = await s.prepare('l599');
  store.within(active.mounts, (root) =>
    editFolder(root, [
      { do: 'append', path: 'd/f0', text: '!' },
      { do: 'remove', path: 'd/f597' },
    ]),
  );
  await s.commit(active, 'top');
  const entries = await (await s.changes('top')).entries();
  assert.deepEqual(
    entries.map(({ path, type }) => `${type} ${path}`),
    ['directory d', 'file d/f0', 'whiteout d/f597'],
  );
  const below = lookAtFolder(join(store.folder, 's', '1', 'f'));
  assert.equal(below['d/f0'], 'file 0644 0:0 0', 'a flattened layer shares its files: they must not change');
});

test('400 layers are mounted as they are', { skip: needsRoot }, async () => {
  using store = new Store();
  await using s = store.open({ maxLayers: 450 });
  for (let i = 0; i < 400; i++)
    await s.apply(i === 0 ? undefined : `${i - 1}`, store.layer([{ name: `f${i}`, text: '' }]), `${i}`);
  await using view = await s.view('399');
  assert.equal(Object.keys(store.within(view.mounts, lookAtFolder)).length, 401);
});

test('a layer that several want at once is unpacked by one of them', { skip: needsRoot }, async () => {
  using store = new Store();
  await using one = store.open();
  await using other = store.open();
  const layer = store.layer(Array.from({ length: 600 }, (_, i) => ({ name: `f${i}`, text: `${i}` })));
  await Promise.all([one, other, one, other].map((s) => s.apply(undefined, layer, 'base')));
  await using next = await other.prepare('base');
  assert.deepEqual(store.content(), ['1', '2'], 'no number was given to another try');
  assert.deepEqual(readdirSync(join(store.folder, 's/turns')), []);
  await one.commit(await one.prepare('base'), 'top');
  assert.equal(await other.has('top'), true);
  assert.equal(next.parent, 'base');
});

test('what a killed process left is found and given up; what a live one has is not', { skip: needsRoot }, async () => {
  using store = new Store();
  await using s = store.open();
  await s.apply(undefined, store.layer([{ name: 'f', text: 'f' }]), 'base');
  await using mine = await s.prepare('base');
  const script = join(store.folder, 'child.ts');
  writeFileSync(
    script,
    `import { Database, systemClock, systemRandom } from ${JSON.stringify(join(import.meta.dirname, '../../src/base/index.ts'))};
     import { OverlaySnapshotter } from ${JSON.stringify(join(import.meta.dirname, '../../src/snapshot/index.ts'))};
     const database = Database.open(${JSON.stringify(join(store.folder, 'strake.db'))});
     const s = new OverlaySnapshotter({ folder: ${JSON.stringify(join(store.folder, 's'))}, database, clock: systemClock,
       random: systemRandom, idMapStamp: 'root', mountOptions: [], ids: 'all' });
     await s.prepare('base'); await s.prepare(undefined); await s.view('base');
     console.log('ready'); setInterval(() => undefined, 1000);`,
  );
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    assert.equal(await s.recover(), 0);
    assert.deepEqual(store.content(), ['1', '2', '3', '4']);
  } finally {
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
  }
  assert.equal(await s.recover(), 2);
  assert.deepEqual(store.content(), ['1', '2']);
  await mine[Symbol.asyncDispose]();
  await s.remove('base');
  for (let i = 0; i < 200 && readdirSync(join(store.folder, 's/trash')).length > 0; i++) await sleep(20);
  assert.deepEqual(readdirSync(join(store.folder, 's/trash')), []);
  assert.equal(readdirSync(join(store.folder, 's/owners')).length, 1);
});

test(
  'folders without a row and rows without a folder are given up, with what stands on them',
  { skip: needsRoot },
  async () => {
    using store = new Store();
    await using s = store.open();
    await s.apply(undefined, store.layer([{ name: 'f' }]), 'a');
    await s.apply('a', store.layer([{ name: 'g' }]), 'b');
    await s.apply(undefined, store.layer([{ name: 'h' }]), 'c');
    mkdirSync(join(store.folder, 's/77/f'), { recursive: true });
    mkdirSync(join(store.folder, 's/new/78/f'), { recursive: true });
    rmSync(join(store.folder, 's/1'), { recursive: true });
    assert.equal(await s.has('a'), false);
    await s.recover();
    assert.deepEqual(store.content(), ['3']);
    assert.deepEqual(
      (await s.list()).map(({ id }) => id),
      ['c'],
    );
  },
);

test(
  'after another boot only what had been settled counts; under another stamp nothing does',
  { skip: needsRoot },
  async () => {
    using store = new Store();
    {
      let now = 1_700_000_000_000;
      await using s = store.open({ boot: 'first', clock: { now: () => now } });
      await s.apply(undefined, store.layer([{ name: 'f' }]), 'old');
      now += 3_600_000;
      await s.recover();
      for (let i = 0; i < 500; i++) {
        if (store.database.get('SELECT 1 AS yes FROM snapshots WHERE settled = 1')) break;
        await sleep(20);
      }
      await s.apply('old', store.layer([{ name: 'g' }]), 'new');
      await s.apply('new', store.layer([{ name: 'h' }]), 'newer');
    }
    {
      await using other = store.open({ idMapStamp: '0 100000 65536', boot: 'first' });
      assert.deepEqual([await other.has('old'), await other.has('new'), await other.list()], [false, false, []]);
      await using copy = new CopySnapshotter({ ...store.options(), boot: 'first', ids: 'all' });
      assert.equal(await copy.has('old'), false);
      await copy.recover();
    }
    await using s = store.open({ boot: 'second' });
    assert.deepEqual([await s.has('old'), await s.has('new'), await s.has('newer')], [true, false, false]);
    await s.apply('old', store.layer([{ name: 'again' }]), 'new');
    assert.deepEqual(
      (await s.list()).map(({ id }) => id),
      ['old', 'new'],
    );
    await s.recover();
    assert.deepEqual(store.content(), ['1', '4']);
    await using view = await s.view('new');
    assert.deepEqual(Object.keys(store.within(view.mounts, lookAtFolder)).sort(), ['.', 'again', 'f']);
  },
);

test('a cancelled unpacking ends soon and leaves nothing', { skip: needsRoot }, async () => {
  using store = new Store();
  await using s = store.open();
  const layer = store.layer(Array.from({ length: 20_000 }, (_, i) => ({ name: `d${i % 100}/f${i}`, text: 'x' })));
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), 100);
  await assert.rejects(s.apply(undefined, layer, 'big', { signal: controller.signal }), (error) =>
    hasCode(error, 'CANCELLED'),
  );
  assert.deepEqual(store.content(), []);
  assert.deepEqual(await s.list(), []);
});

test('a layer can plant nothing outside: links, hard links, devices, set-id folders', { skip: needsRoot }, async () => {
  using store = new Store();
  for (const make of [() => store.open(), () => new CopySnapshotter({ ...store.options(), ids: 'all' })]) {
    await using s = make();
    const outside = join(store.folder, 'outside');
    mkdirSync(outside, { recursive: true });
    writeFileSync(join(outside, 'secret'), 'secret');
    const tricks: readonly (readonly Member[])[] = [
      [
        { name: 'x', type: 'symlink', link: outside },
        { name: 'x/evil', text: 'evil' },
      ],
      [
        { name: 'x', type: 'symlink', link: '../../../../../../../../..' },
        { name: `x${outside}/evil`, text: 'evil' },
      ],
      [
        { name: 'd/', type: 'directory' },
        { name: 'd/f', text: 'f' },
        { name: 'd', type: 'symlink', link: outside },
        { name: 'd/evil', text: 'evil' },
      ],
      [
        { name: 'f', type: 'symlink', link: `${outside}/secret` },
        { name: 'f', text: 'evil' },
      ],
      [
        { name: 'f', type: 'symlink', link: `${outside}/secret` },
        { name: 'g', type: 'hardlink', link: 'f' },
        { name: 'g', text: 'evil' },
      ],
      [
        { name: 'f', type: 'symlink', link: `${outside}/secret` },
        { name: 'f/', type: 'directory', mode: 0o777, uid: 7 },
      ],
      [{ name: 'x', type: 'symlink', link: outside }, { name: 'x/.wh.secret' }, { name: 'x/.wh..wh..opq' }],
    ];
    for (const [i, trick] of tricks.entries()) {
      await s.apply(undefined, store.layer(trick), `${s.name}-${i}`).catch((error: unknown) => {
        assert.ok(hasCode(error, 'LAYER_INVALID', 'LAYER_UNSAFE'), String(error));
      });
      assert.deepEqual(lookAtFolder(outside), {
        '.': 'folder 0755 0:0',
        secret: 'file 0644 0:0 secret',
      });
    }
    assert.equal(existsSync('/evil'), false);
  }
});

test('a full disk is a clear error and leaves nothing', { skip: needsRoot }, async () => {
  using store = new Store();
  const small = join(store.folder, 'small');
  mkdirSync(small);
  using _ = mountAll([{ type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] }], small);
  await using s = store.open({ folder: join(small, 's') });
  const layer = store.layer([{ name: 'f', text: 'x'.repeat(3_000_000) }]);
  await assert.rejects(s.apply(undefined, layer, 'big'), (error) => hasCode(error, 'UNPACK_FULL'));
  assert.deepEqual(await s.list(), []);
  await s.apply(undefined, store.layer([{ name: 'f', text: 'small' }]), 'next');
  assert.equal(await s.has('next'), true);
});

test('a sparse file of GNU tar has its holes as zeros', { skip: needsRoot }, async () => {
  using store = new Store();
  await using s = store.open();
  const path = join(store.folder, 'sparse');
  writeFileSync(path, 'begin');
  truncateSync(path, 3_000_000);
  appendFileSync(path, 'end');
  const tar = spawnSync('tar', ['-C', store.folder, '-S', '-cf', join(store.folder, 'sparse.tar'), 'sparse']);
  assert.equal(tar.status, 0);
  assert.ok(statSync(join(store.folder, 'sparse.tar')).size < 100_000);
  await s.apply(undefined, { path: join(store.folder, 'sparse.tar') }, 'a');
  assert.ok(readFileSync(join(store.folder, 's/1/f/sparse')).equals(readFileSync(path)));
});
