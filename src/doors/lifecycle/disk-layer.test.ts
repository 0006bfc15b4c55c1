import assert from 'node:assert/strict';
import { chmodSync, linkSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { collect } from '../../base/index.ts';
import type { LayerContent, LayerPlan } from '../../frontend/buildpack/index.ts';
import { diskLayer } from './disk-layer.ts';

interface Folder extends Disposable {
  readonly path: string;
}

function folder(): Folder {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'strake-disk-layer-')));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Path, type, mode, owner, link and content of all that a layer holds. */
async function holds(content: readonly LayerContent[], launcher = ''): Promise<readonly string[]> {
  const plan: LayerPlan = { key: 'x', createdBy: '', content, dialect: 'lifecycle' };
  const tree = await diskLayer(plan, { launcher });
  const lines: string[] = [];
  for (const entry of await tree.entries()) {
    const { path, type, mode, uid, gid, link, size } = entry;
    const text = type === 'file' ? Buffer.from(await collect(tree.read([entry]))).toString() : (link ?? '');
    if (type === 'file') assert.equal(size, text.length);
    lines.push(`/${path} ${type} ${mode.toString(8)} ${uid}:${gid} ${text}`.trimEnd());
  }
  return lines;
}

suite('a layer from the disk', () => {
  test("a tree: other names of a file are files, times and owners are not the disk's, what is left out is", async () => {
    using at = folder();
    const top = join(at.path, 'app');
    mkdirSync(join(top, 'bin/deep'), { recursive: true });
    chmodSync(top, 0o750);
    chmodSync(join(top, 'bin'), 0o755);
    writeFileSync(join(top, 'a'), 'one');
    chmodSync(join(top, 'a'), 0o640);
    linkSync(join(top, 'a'), join(top, 'b'));
    symlinkSync('../nowhere', join(top, 'bin/link'));
    writeFileSync(join(top, 'bin/deep/left'), 'out');
    writeFileSync(join(top, 'bin/deeper'), '');
    chmodSync(join(top, 'bin/deeper'), 0o4755);
    const lines = await holds([{ kind: 'tree', path: top, uid: 7, gid: 8, except: [`${top}/bin/deep`] }]);
    assert.deepEqual(lines, [
      `${top} directory 750 7:8`,
      `${top}/a file 640 7:8 one`,
      `${top}/b file 640 7:8 one`,
      `${top}/bin directory 755 7:8`,
      `${top}/bin/deeper file 4755 7:8`,
      `${top}/bin/link symlink 777 7:8 ../nowhere`,
    ]);
  });

  test('folders that lead there as they are, single entries, and a tree that is no folder', async () => {
    using at = folder();
    const odd = join(at.path, 'a[b]*?');
    mkdirSync(join(at.path, 'sub'));
    chmodSync(join(at.path, 'sub'), 0o700);
    writeFileSync(odd, 'odd');
    chmodSync(odd, 0o600);
    symlinkSync('x', join(at.path, 'sub/link'));
    const own = `${process.getuid!()}:${process.getgid!()}`;
    const parents = await holds([{ kind: 'parents', path: `${at.path}/sub/link` }]);
    assert.equal(parents.at(-1), `${at.path}/sub directory 700 ${own}`);
    assert.equal(parents.length, `${at.path}/sub`.split('/').length - 1);
    assert.deepEqual(
      await holds([
        { kind: 'entry', path: odd, uid: 1, gid: 2 },
        { kind: 'entry', path: `${at.path}/sub`, uid: 1, gid: 2 },
        { kind: 'tree', path: `${at.path}/sub/link`, uid: 1, gid: 2 },
      ]),
      [`${odd} file 600 1:2 odd`, `${at.path}/sub directory 700 1:2`, `${at.path}/sub/link symlink 777 1:2 x`],
    );
  });

  test('what is made, and the launcher', async () => {
    using at = folder();
    const launcher = join(at.path, 'program');
    writeFileSync(launcher, 'elf');
    chmodSync(launcher, 0o500);
    const owner = { uid: 0, gid: 0 };
    assert.deepEqual(
      await holds(
        [
          { kind: 'folder', path: '/cnb', mode: 0o755, ...owner },
          { kind: 'launcher', path: '/cnb/launcher' },
          { kind: 'link', path: '/cnb/web', target: '/cnb/launcher', mode: 0o755, ...owner },
          { kind: 'file', path: '/cnb/text', mode: 0o644, content: 'text', ...owner },
        ],
        launcher,
      ),
      [
        '/cnb directory 755 0:0',
        '/cnb/launcher file 755 0:0 elf',
        '/cnb/text file 644 0:0 text',
        '/cnb/web symlink 755 0:0 /cnb/launcher',
      ],
    );
    await assert.rejects(
      holds([{ kind: 'launcher', path: '/cnb/launcher' }], join(at.path, 'none')),
      /it is not there/,
    );
    await assert.rejects(holds([{ kind: 'launcher', path: '/cnb/launcher' }], at.path), /is no file/);
  });
});
