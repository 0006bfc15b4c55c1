import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { collect } from '../../src/base/index.ts';
import { extractTree, folderSource, memoryTree } from '../../src/tree/index.ts';

/** Runs `body` without root's rights (this file has a process of its own). */
async function asOrdinaryUser<T>(body: () => Promise<T>): Promise<T> {
  if (process.getuid?.() !== 0) return body();
  process.setegid?.(65_534);
  process.seteuid?.(65_534);
  try {
    return await body();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}

function folder(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'strake-user-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  chmodSync(root, 0o755);
  return root;
}

const DENIED = { code: 'FILE_UNREADABLE', kind: 'denied' };

test('what may not be read is named, unless it is left out', async (t) => {
  const root = folder(t);
  mkdirSync(join(root, 'locked/in'), { recursive: true });
  writeFileSync(join(root, 'secret'), 's');
  writeFileSync(join(root, 'open'), 'o');
  chmodSync(join(root, 'secret'), 0);
  chmodSync(join(root, 'locked'), 0);
  if (process.getuid?.() === 0) for (const name of ['secret', 'locked']) chownSync(join(root, name), 0, 0);
  await asOrdinaryUser(async () => {
    const source = folderSource(root);
    await assert.rejects(source.tree({}), { ...DENIED, message: 'read folder "locked": permission denied' });
    await assert.rejects(source.tree({ include: ['locked'] }), DENIED);
    const tree = await source.tree({ exclude: ['locked'] });
    const files = await tree.entries();
    assert.deepEqual(
      files.map((entry) => entry.path),
      ['open', 'secret'],
    );
    await assert.rejects(tree.digests(files), { ...DENIED, message: 'read "secret": permission denied' });
    await assert.rejects(collect(tree.read(files)), DENIED);
    assert.equal((await (await source.tree({ exclude: ['locked', '!locked/in'] })).entries()).length, 2);
  });
  chmodSync(join(root, 'locked'), 0o755);
});

test('a tree is written as the user who runs, devices are left out', async (t) => {
  const root = folder(t);
  chmodSync(root, 0o777);
  const tree = memoryTree({
    'd/': { mode: 0o555, uid: 5, gid: 6 },
    'd/file': { content: 'x', uid: 5, mode: 0o4711 },
    null: { type: 'character', device: { major: 1, minor: 3 } },
    capable: { content: 'x', xattrs: new Map([['security.capability', Buffer.alloc(20)]]) },
  });
  await asOrdinaryUser(async () => {
    const uid = process.geteuid?.();
    const target = join(root, 'out');
    const { skipped } = await extractTree(tree, target);
    assert.deepEqual(skipped, ['null']);
    assert.equal(existsSync(join(target, 'null')), false);
    assert.equal(readFileSync(join(target, 'd/file'), 'utf8'), 'x');
    assert.deepEqual([statSync(join(target, 'd')).mode & 0o7777, statSync(join(target, 'd')).uid], [0o555, uid]);
    assert.equal(statSync(join(target, 'd/file')).mode & 0o7777, 0o4711);
    await assert.rejects(extractTree(tree, join(root, 'keep'), { owner: 'keep' }), {
      code: 'EXTRACT_DENIED',
      kind: 'denied',
    });
    await assert.rejects(extractTree(tree, '/proc/strake'), { kind: 'failed' });
  });
});
