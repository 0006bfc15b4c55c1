import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { escapeOverlayPath, hasCode, mountAll, sys } from '../../src/base/index.ts';
import { needsRoot } from './needs-root.ts';

/** Needs root: mounts in a namespace of its own. */
let folder: string;
before(() => {
  if (needsRoot !== false) return;
  sys.unshareMounts();
  folder = mkdtempSync(join(tmpdir(), 'strake-mounts-'));
});
after(() => folder === undefined || rmSync(folder, { recursive: true, force: true }));

const make = (name: string): string => {
  const path = join(folder, name);
  mkdirSync(path, { recursive: true });
  return path;
};
const mountsBelow = (path: string): number =>
  readFileSync('/proc/self/mountinfo', 'latin1')
    .split('\n')
    .filter((line) => line.includes(` ${path}`)).length;

test('an overlay with a read-only bind and a tmpfs inside, undone at the end of the scope', { skip: needsRoot }, () => {
  const root = make('a/root');
  for (const name of ['lower', 'upper', 'work', 'data']) make(`a/${name}`);
  make('a/lower/mnt');
  make('a/lower/tmp');
  writeFileSync(join(folder, 'a/lower/file'), 'lower');
  writeFileSync(join(folder, 'a/data/file'), 'data');
  {
    using _ = mountAll(
      [
        {
          type: 'overlay',
          source: 'overlay',
          options: ['index=off', ...['lower', 'upper', 'work'].map((n) => `${n}dir=${join(folder, 'a', n)}`)],
        },
        { type: 'bind', source: join(folder, 'a/data'), target: '/mnt', options: ['rbind', 'ro'] },
        { type: 'tmpfs', source: 'tmpfs', target: 'tmp', options: ['size=64k', 'mode=1777', 'noexec'] },
      ],
      root,
    );
    assert.equal(readFileSync(join(root, 'file'), 'utf8'), 'lower');
    assert.equal(readFileSync(join(root, 'mnt/file'), 'utf8'), 'data');
    assert.throws(() => writeFileSync(join(root, 'mnt/file'), 'x'), { code: 'EROFS' });
    writeFileSync(join(root, 'tmp/x'), 'x');
    writeFileSync(join(root, 'new'), 'new');
  }
  assert.equal(mountsBelow(join(folder, 'a')), 0);
  assert.deepEqual(readdirSync(root), []);
  assert.equal(readFileSync(join(folder, 'a/upper/new'), 'utf8'), 'new');
});

test('a target is resolved inside the root: a link to "/" does not lead out', { skip: needsRoot }, () => {
  const root = make('b/root');
  make('b/root/etc');
  symlinkSync('/etc', join(root, 'link'));
  {
    using _ = mountAll([{ type: 'tmpfs', source: 'tmpfs', target: '/link', options: [] }], root);
    assert.equal(mountsBelow(join(root, 'etc')), 1);
  }
  assert.equal(mountsBelow(root), 0);
});

test('400 lower layers with long paths, colons, commas and backslashes', { skip: needsRoot }, () => {
  const long = 'x'.repeat(80);
  const lowers = Array.from({ length: 400 }, (_, i) => {
    const path = make(String.raw`c/${long}/:,\ ${i}`);
    writeFileSync(join(path, `f${i}`), `${i}`);
    return path;
  });
  const root = make('c/root');
  make('c/upper,:');
  make('c/work');
  {
    using _ = mountAll(
      [
        {
          type: 'overlay',
          source: 'overlay',
          options: [
            `lowerdir=${lowers.map(escapeOverlayPath).join(':')}`,
            `upperdir=${escapeOverlayPath(join(folder, 'c/upper,:'))}`,
            `workdir=${join(folder, 'c/work')}`,
            'index=off',
            'nosuid',
          ],
        },
      ],
      root,
    );
    assert.equal(readdirSync(root).length, 400);
    writeFileSync(join(root, 'f7'), 'changed');
    assert.equal(readFileSync(join(root, 'f399'), 'utf8'), '399');
  }
  assert.equal(readFileSync(join(folder, 'c/upper,:/f7'), 'utf8'), 'changed');
});

test('nothing stays mounted when one of them fails', { skip: needsRoot }, () => {
  const root = make('d/root');
  assert.throws(
    () =>
      mountAll(
        [
          { type: 'tmpfs', source: 'tmpfs', options: [] },
          { type: 'bind', source: join(folder, 'd/missing'), options: ['bind'] },
        ],
        root,
      ),
    (error) => hasCode(error, 'MOUNT_FAILED'),
  );
  assert.throws(
    () => mountAll([{ type: 'tmpfs', source: 'tmpfs', target: '/missing', options: [] }], root),
    (error) => hasCode(error, 'MOUNT_INVALID'),
  );
  assert.equal(mountsBelow(root), 0);
});
