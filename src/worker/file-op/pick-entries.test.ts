import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { PickAction } from '../../graph/index.ts';
import { contentDigest, memoryTree, unionOf, viewTree } from '../../tree/index.ts';
import { applyFileOp } from './apply-file-op.ts';
import { pickSelections } from './selections.ts';

const FILES = {
  'layers/': { mode: 0o750, uid: 7 },
  'layers/a/': { mode: 0o777, uid: 7 },
  'layers/a/one': { content: 'one', uid: 7, mode: 0o640 },
  'layers/a/sub/two': { content: 'two', uid: 7 },
  'layers/a/sub[x]/three': { content: 'three' },
  'layers/b/four': { content: 'four' },
};

const pick = (more: Partial<PickAction>): PickAction => ({
  kind: 'pick',
  from: { input: 1 },
  trees: [],
  entries: [],
  ...more,
});

async function picked(action: PickAction, files: object = FILES): Promise<string[]> {
  const base = await unionOf([]);
  const from = await unionOf([memoryTree(files as typeof FILES)]);
  const changes = await applyFileOp(
    { kind: 'file', actions: [action] },
    { base, inputs: [base, from], clock: { now: () => 0 }, scratch: '/nowhere', log: () => undefined },
  );
  const entries = await viewTree(await unionOf([changes])).entries();
  return entries.map(({ path, mode, uid, gid }) => `${path} ${mode.toString(8)} ${uid}:${gid}`);
}

suite('entries picked out of a tree', () => {
  test('keep their paths; folders that lead there come as they are if named', async () => {
    const found = await picked(
      pick({ entries: ['/layers'], trees: ['/layers/a'], except: ['/layers/a/sub[x]'], owner: { user: 5, group: 6 } }),
    );
    assert.deepEqual(found, [
      'layers 750 5:6',
      'layers/a 777 5:6',
      'layers/a/one 640 5:6',
      'layers/a/sub 755 5:6',
      'layers/a/sub/two 644 5:6',
    ]);
  });

  test('without an owner they keep theirs, and what leads there is made', async () => {
    assert.deepEqual(await picked(pick({ trees: ['/layers/a/sub'] })), [
      'layers 755 0:0',
      'layers/a 755 0:0',
      'layers/a/sub 755 0:0',
      'layers/a/sub/two 644 7:0',
    ]);
  });

  test('what is not there is named', async () => {
    await assert.rejects(picked(pick({ trees: ['/layers/none'] })), /layers\/none.*not found/);
  });

  test('the key is about what is picked, and nothing else', async () => {
    const action = pick({ entries: ['/layers'], trees: ['/layers/a'], except: ['/layers/a/sub[x]'] });
    const key = async (change: object): Promise<string> => {
      const view = await unionOf([memoryTree({ ...FILES, ...change })]);
      const digests = pickSelections(action).map((selection) => contentDigest(view, selection));
      return (await Promise.all(digests)).join();
    };
    const before = await key({});
    assert.equal(await key({ 'layers/b/five': { content: '' } }), before);
    assert.equal(await key({ 'layers/a/sub[x]/six': { content: '' } }), before);
    assert.notEqual(await key({ 'layers/a/sub/two': { content: 'other', uid: 7 } }), before);
    assert.notEqual(await key({ 'layers/': { mode: 0o700, uid: 7 } }), before);
  });
});
