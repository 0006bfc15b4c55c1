import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  type BigIntStats,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import * as fc from 'fast-check';
import { hasCode, sys, systemRandom } from '../../src/base/index.ts';
import { folderRig, tickingClock } from '../../src/snapshot/folder-rig.suite.ts';
import { CopySnapshotter, InPlaceSnapshotter, type Snapshotter } from '../../src/snapshot/index.ts';
import { writeLayer, type Member } from '../../src/snapshot/layer-tar.suite.ts';
import { membersOf } from '../../src/snapshot/snapshotter.suite.ts';
import { editFolder, lookAtFolder, type Edit, type Look } from '../../src/snapshot/tree-edits.suite.ts';
import { needsRoot } from './needs-root.ts';

/** The in-place snapshotter on a folder that stands for the root. */
interface Rig extends Disposable {
  readonly folder: string;
  readonly root: string;
  readonly s: InPlaceSnapshotter;
  layer(members: readonly Member[]): { readonly path: string };
}

function open(guarded: readonly string[] = [], adopted?: () => string | undefined): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'strake-in-place-'));
  const root = join(folder, 'root');
  mkdirSync(root, { mode: 0o755 });
  const options = { folder: join(folder, 'work'), root, clock: tickingClock(), random: systemRandom, adopted };
  let layers = 0;
  return {
    folder,
    root,
    s: new InPlaceSnapshotter({ ...options, guarded: guarded.map((path) => join(root, path)) }),
    layer: (members) => writeLayer(join(folder, `layer-${layers++}.tar`), members),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A step: its changes, written as a layer. */
async function step(
  rig: Rig,
  id: string,
  o: { parent: string | undefined; edits: readonly Edit[] },
): Promise<string[]> {
  await using active = await rig.s.prepare(o.parent);
  editFolder(rig.root, o.edits);
  await rig.s.commit(active, id);
  const changes = await rig.s.changes(id);
  const names = (await changes.entries()).map(({ path, type }) => `${type === 'whiteout' ? '-' : '.'} ${path}`);
  await rig.s.keepLayer(id, rig.layer(await membersOf(changes)));
  return names;
}

const BASE: readonly Member[] = [
  { name: 'bin', type: 'symlink', link: 'usr/bin' },
  { name: 'etc/', type: 'directory' },
  { name: 'etc/passwd', text: 'root', mode: 0o600, uid: 1, gid: 2 },
  { name: 'usr/', type: 'directory', mtime: 5 },
  { name: 'usr/bin/', type: 'directory', mode: 0o711 },
  { name: 'usr/bin/su', text: 'su', mode: 0o4755, mtime: 7 },
  { name: 'usr/bin/also', type: 'hardlink', link: 'usr/bin/su' },
];

suite('in place', { skip: needsRoot }, () => {
  before(() => sys.unshareMounts());

  test('a root that is the layer already is taken as it is: what differs from it is made, all else stays', async () => {
    const taken: { tar?: string } = {};
    using rig = open([], () => taken.tar);
    {
      using other = open();
      await other.s.apply(undefined, other.layer(BASE), 'base');
      await step(other, 'as it is', { parent: 'base', edits: [] });
      execFileSync('cp', ['-a', `${other.root}/.`, rig.root]);
    }
    const layer = rig.layer(BASE);
    taken.tar = layer.path;
    const before = ['usr/bin/su', 'etc/passwd', 'usr'].map((path) => stat(join(rig.root, path)).ino);
    await rig.s.apply(undefined, layer, 'base');
    await rig.s.apply('base', rig.layer([{ name: 'added', text: 'added' }]), 'more');
    assert.deepEqual(
      await step(rig, 'one', { parent: 'more', edits: [{ do: 'write', path: 'etc/passwd', text: 'mine' }] }),
      ['. etc', '. etc/passwd'],
    );
    assert.equal(readFileSync(join(rig.root, 'added'), 'utf8'), 'added');
    const inodes = ['usr/bin/su', 'usr'].map((path) => stat(join(rig.root, path)).ino);
    assert.deepEqual(inodes, [before[0], before[2]]);
    // And back again.
    await step(rig, 'two', { parent: 'base', edits: [] });
    assert.equal(readFileSync(join(rig.root, 'etc/passwd'), 'utf8'), 'root');
    assert.equal(stat(join(rig.root, 'usr/bin/su')).ino, before[0]);
  });

  test('the root becomes what is asked for, and only what differs is made anew', async () => {
    using rig = open();
    await rig.s.apply(undefined, rig.layer(BASE), 'base');
    const made = await step(rig, 'one', {
      parent: 'base',
      edits: [
        { do: 'write', path: 'etc/passwd', text: 'mine' },
        { do: 'remove', path: 'bin' },
        { do: 'write', path: 'new', text: 'new' },
      ],
    });
    assert.deepEqual(made, ['- bin', '. etc', '. etc/passwd', '. new']);
    const { ino } = stat(join(rig.root, 'usr/bin/su'));
    assert.deepEqual(await step(rig, 'two', { parent: 'one', edits: [] }), []);
    {
      await using _ = await rig.s.prepare('base');
      assert.deepEqual(lookAtFolder(rig.root), {
        '.': 'folder 0755 0:0',
        bin: 'link -> usr/bin',
        etc: 'folder 0755 0:0',
        'etc/passwd': 'file 0600 1:2 root',
        usr: 'folder 0755 0:0',
        'usr/bin': 'folder 0711 0:0',
        'usr/bin/also': 'file 4755 0:0 su',
        'usr/bin/su': 'file 4755 0:0 su',
      });
      assert.equal(stat(join(rig.root, 'usr')).mtimeNs, 5_000_000_000n);
    }
    assert.equal(stat(join(rig.root, 'usr/bin/su')).ino, ino, 'what had not changed is the same file');
    await using _ = await rig.s.prepare('two');
    assert.equal(readFileSync(join(rig.root, 'new'), 'utf8'), 'new');
  });

  test('what was there before the first step, and what a step that failed has left, is gone', async () => {
    using rig = open();
    mkdirSync(join(rig.root, 'usr/old'), { recursive: true });
    writeFileSync(join(rig.root, 'usr/old/file'), '');
    await rig.s.apply(undefined, rig.layer(BASE), 'base');
    {
      await using _ = await rig.s.prepare('base');
      editFolder(rig.root, [
        { do: 'write', path: 'usr/junk', text: 'junk' },
        { do: 'write', path: 'usr/bin/su', text: 'no' },
      ]);
    }
    await using _ = await rig.s.prepare('base');
    assert.equal(readFileSync(join(rig.root, 'usr/bin/su'), 'utf8'), 'su');
    assert.deepEqual(Object.keys(lookAtFolder(join(rig.root, 'usr'))).sort(), ['.', 'bin', 'bin/also', 'bin/su']);
  });

  test('a write that leaves size and time as they were is a change; the same bytes are none', async () => {
    using rig = open();
    await rig.s.apply(undefined, rig.layer(BASE), 'base');
    const edits = (text: string): Edit[] => [
      { do: 'write', path: 'usr/bin/su', text, mode: 0o4755 },
      { do: 'times', path: 'usr/bin/su', mtime: 7 },
    ];
    assert.deepEqual(await step(rig, 'same', { parent: 'base', edits: edits('su') }), []);
    const changed = ['. usr', '. usr/bin', '. usr/bin/also', '. usr/bin/su'];
    assert.deepEqual(await step(rig, 'other', { parent: 'base', edits: edits('us') }), changed);
  });

  test('guarded places are never changed, removed or read, however they are named', async () => {
    using rig = open(['own', 'var/run/secrets', 'etc/resolv.conf']);
    const keep = { 'own/program': 'strake', 'var/run/secrets/token': 'secret', 'etc/resolv.conf': 'nameserver' };
    for (const [path, text] of Object.entries(keep)) {
      mkdirSync(join(rig.root, path, '..'), { recursive: true });
      writeFileSync(join(rig.root, path), text);
    }
    symlinkSync('own', join(rig.root, 'shortcut'));
    const intact = (): void => {
      for (const [path, text] of Object.entries(keep)) assert.equal(readFileSync(join(rig.root, path), 'utf8'), text);
    };
    await rig.s.apply(
      undefined,
      rig.layer([
        ...BASE,
        { name: 'etc/resolv.conf', text: 'of the base' },
        { name: 'own/', type: 'directory', mode: 0o700, uid: 9 },
        { name: 'var/', type: 'directory' },
        { name: 'var/run', type: 'symlink', link: '../usr' },
        { name: 'var/run/through', text: 'the link' },
        { name: 'shortcut', type: 'symlink', link: '/own' },
        { name: 'shortcut/program', text: 'of the base' },
      ]),
      'base',
    );
    assert.deepEqual(await step(rig, 'none', { parent: 'base', edits: [] }), []);
    intact();
    assert.equal(readFileSync(join(rig.root, 'usr/through'), 'utf8'), 'the link');
    const made = await step(rig, 'step', {
      parent: 'none',
      edits: [
        { do: 'write', path: 'own/new', text: 'not for a layer' },
        { do: 'write', path: 'var/mine', text: 'for a layer' },
      ],
    });
    assert.deepEqual(made, ['. var', '. var/mine']);
    await rig.s.apply(
      'step',
      rig.layer([{ name: '.wh.own' }, { name: 'var/.wh..wh..opq' }, { name: '.wh.etc' }]),
      'less',
    );
    {
      await using _ = await rig.s.prepare('less');
      intact();
    }
    await rig.s.clear();
    intact();
    assert.deepEqual(
      Object.keys(lookAtFolder(rig.root)).filter((path) => !/^(own|var|etc|\.)/.test(path)),
      [],
    );
  });

  test('one step at a time; what is known of none is not there', async () => {
    using rig = open();
    await rig.s.apply(undefined, rig.layer(BASE), 'base');
    const order: string[] = [];
    const first = await rig.s.prepare('base');
    const second = rig.s.prepare('base').then(async (active) => {
      order.push('second');
      await active[Symbol.asyncDispose]();
    });
    const signal = AbortSignal.timeout(20);
    await assert.rejects(rig.s.prepare('base', { signal }), (error) => hasCode(error, 'CANCELLED'));
    order.push('first');
    await rig.s.commit(first, 'kept by nobody');
    await first[Symbol.asyncDispose]();
    await second;
    assert.deepEqual(order, ['first', 'second']);
    assert.equal(await rig.s.has('kept by nobody'), false);
    await assert.rejects(rig.s.prepare('kept by nobody'), (error) => hasCode(error, 'SNAPSHOT_NOT_FOUND'));
    await assert.rejects(rig.s.apply('base', rig.layer([{ name: '../evil' }]), 'bad'));
    assert.equal(await rig.s.has('bad'), false);
  });

  const seed = Number(process.env['STRAKE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  test(`random steps change the same as on copies, in any order of parents (seed ${seed})`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'strake-in-place-'));
    after(() => rmSync(folder, { recursive: true, force: true }));
    const plan = fc.array(fc.tuple(fc.array(edit, { maxLength: 6 }), fc.nat()), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(plan, async (steps) => {
        using rig = open();
        await using copy = folderRig(folder, (o) => new CopySnapshotter({ ...o, ids: 'all' }), {
          owners: true,
          devices: true,
        });
        const layer = rig.layer(START);
        const ids = ['base'];
        for (const s of [rig.s, copy.snapshotter]) await s.apply(undefined, layer, 'base');
        for (const [i, [edits, from]] of steps.entries()) {
          const parent = ids[from % ids.length];
          const id = `${i}`;
          const here = await tried(rig.s, id, { parent, edits });
          const there = await tried(copy.snapshotter, id, { parent, edits });
          assert.deepEqual(here.look, there.look);
          assert.deepEqual(here.changes, there.changes);
          await rig.s.keepLayer(id, rig.layer(here.members));
          ids.push(id);
        }
      }),
      { seed, numRuns: 15 },
    );
  });
});

const START: readonly Member[] = [
  { name: 'a/', type: 'directory' },
  { name: 'a/b', text: 'b' },
  { name: 'a/c/', type: 'directory', mode: 0o700, mtime: 3 },
  { name: 'a/c/a', text: 'deep', mtime: 4 },
  { name: 'b', type: 'symlink', link: 'a' },
  { name: 'c', text: 'c', mode: 0o640, uid: 5, gid: 6 },
];
const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const edit: fc.Arbitrary<Edit> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), path, text: fc.constantFrom('', 'one', 'two') }),
  fc.record({ do: fc.constant('mkdir' as const), path }),
  fc.record({ do: fc.constant('remove' as const), path }),
  fc.record({ do: fc.constant('symlink' as const), path, to: fc.constantFrom('a', '/c', '..') }),
  fc.record({ do: fc.constant('rename' as const), path, to: path }),
  fc.record({ do: fc.constant('chmod' as const), path, mode: fc.constantFrom(0o755, 0o640) }),
  fc.record({ do: fc.constant('chown' as const), path, uid: fc.constantFrom(0, 7), gid: fc.constant(0) }),
  fc.record({ do: fc.constant('times' as const), path, mtime: fc.constantFrom(3, 4) }),
);

/** A step whose edits may fail, each by itself. */
async function tried(
  s: Snapshotter,
  id: string,
  o: { parent: string | undefined; edits: readonly Edit[] },
): Promise<{ look: Look; changes: unknown; members: Member[] }> {
  await using active = await s.prepare(o.parent);
  const root = active.mounts[0]?.source ?? '';
  for (const one of o.edits) {
    try {
      editFolder(root, [one]);
    } catch {
      // There is no such path, or it is something else.
    }
  }
  const look = lookAtFolder(root);
  await s.commit(active, id);
  const tree = await s.changes(id);
  const entries = await tree.entries();
  const changes = entries.map((entry) => ({ ...entry, mtime: 0, mtimeNs: 0 }));
  return { look, changes, members: await membersOf(tree) };
}

function stat(at: string): BigIntStats {
  return lstatSync(at, { bigint: true });
}
