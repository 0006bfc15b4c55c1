import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unionOf, type Entry, type FileTree, type TreeView } from '../tree/index.ts';
import { findUser } from './users.ts';

function rootOf(files: Readonly<Record<string, string>>): () => Promise<TreeView> {
  const entries = Object.entries(files).map(([path, content]): Entry => ({
    path,
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: content.length,
    mtime: 0,
    mtimeNs: 0,
  }));
  const tree: FileTree = {
    entries: async () => entries,
    read: async function* (wanted) {
      for (const { path } of wanted) yield Buffer.from(files[path] ?? '');
    },
    digests: () => assert.fail('nobody asks for digests'),
  };
  return () => unionOf([tree]);
}

const ROOT = rootOf({
  'etc/passwd':
    'root:x:0:0:root:/root:/bin/sh\n# a comment: x\nbroken\napp:x:1000:1001::/home/app:/bin/sh\n7:x:70:71::/:\napp:x:2000:2001::/:\n',
  'etc/group': 'root:x:0:\nstaff:x:50:app,other\nwheel:x:10:app\nwheel:x:11:\nrooty:x:60:root\n50:x:51:\n',
});

// What moby/sys/user and BuildKit's GetUser give for the same files.
const CASES: readonly (readonly [user: string, uid: number, gid: number, groups: readonly number[]])[] = [
  ['', 0, 0, []],
  ['root', 0, 0, [60]],
  ['0', 0, 0, [60]],
  ['0:0', 0, 0, []],
  ['app', 1000, 1001, [10, 50]],
  ['1000', 1000, 1001, [10, 50]],
  ['app:staff', 1000, 50, []],
  ['app:7', 1000, 7, []],
  ['1000:1001', 1000, 1001, []],
  ['7', 7, 0, []],
  ['70', 70, 71, []],
  ['app:50', 1000, 50, []],
  ['app:wheel', 1000, 10, []],
  [':staff', 0, 50, []],
  ['app:', 1000, 1001, [10, 50]],
  ['12345', 12345, 0, []],
  ['12345:staff', 12345, 50, []],
];

for (const [user, uid, gid, additionalGids] of CASES)
  test(`user "${user}"`, async () => {
    assert.deepEqual(await findUser(user, ROOT), { uid, gid, additionalGids });
  });

test('two numbers and nobody ask for no file', async () => {
  const none = (): Promise<TreeView> => assert.fail('the root was looked into');
  assert.deepEqual(await findUser('5:6', none), { uid: 5, gid: 6, additionalGids: [] });
  assert.deepEqual(await findUser('', none), { uid: 0, gid: 0, additionalGids: [] });
});

test('who is not there is named, and so are ids that cannot be', async () => {
  const empty = rootOf({});
  await assert.rejects(findUser('app', empty), { code: 'STEP_USER_UNKNOWN', message: /user "app".*\/etc\/passwd/ });
  await assert.rejects(findUser('1:none', ROOT), { code: 'STEP_USER_UNKNOWN', message: /group "none".*\/etc\/group/ });
  await assert.rejects(findUser('-1', ROOT), { code: 'STEP_USER_UNKNOWN' });
  await assert.rejects(findUser('0:4294967295', ROOT), { code: 'STEP_USER_UNKNOWN' });
  assert.deepEqual(await findUser('7', empty), { uid: 7, gid: 0, additionalGids: [] });
});
