import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { rawTar } from '../lib/crafted.ts';
import { failsWith } from '../lib/failure.ts';
import { emptyStore, type TestStore } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';

const invalid = 64;
const notFound = 66;

/** An image written as an OCI archive and as a Docker archive, each also unpacked, for tests to damage. */
async function archives(
  store: TestStore,
): Promise<{ readonly oci: string; readonly docker: string; readonly layout: string; readonly unpacked: string }> {
  const at = (name: string): string => join(store.work, name);
  const context = at('context');
  mkdirSync(context);
  writeFileSync(join(context, 'file'), Buffer.alloc(100_000, 'content\n'));
  writeFileSync(join(context, 'Dockerfile'), 'FROM scratch\nCOPY file /\nCMD ["/file"]\n');
  const root = at('maker');
  const outputs = ['-o', `type=oci,dest=${at('oci.tar')}`, '-o', `type=docker,dest=${at('docker.tar')}`];
  await ok(['build', '--progress=plain', '-t', 'app:1', ...outputs, context], { root });
  for (const [archive, folder] of [
    ['oci.tar', 'layout'],
    ['docker.tar', 'unpacked'],
  ] as const) {
    mkdirSync(at(folder));
    execFileSync('tar', ['-xf', at(archive), '-C', at(folder)]);
  }
  return { oci: at('oci.tar'), docker: at('docker.tar'), layout: at('layout'), unpacked: at('unpacked') };
}

/** The largest blob of a layout: its layer. */
function layerOf(layout: string): string {
  const folder = join(layout, 'blobs/sha256');
  const sizes = readdirSync(folder).map((name) => ({ name, size: statSync(join(folder, name)).size }));
  return sizes.sort((a, b) => b.size - a.size)[0]?.name ?? '';
}

function flip(path: string, from: number): void {
  const bytes = readFileSync(path);
  const at = from < 0 ? bytes.length + from : from;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
  writeFileSync(path, bytes);
}

describe('bad input (must show 8): archives and layouts', () => {
  test('what is no archive of an image', async () => {
    using store = emptyStore();
    const at = (name: string): string => join(store.work, name);
    const load = (name: string, code: number, says: readonly (string | RegExp)[], help: string | RegExp) =>
      failsWith(['load', '-i', at(name)], { root: store.root, code, says: [`"${at(name)}"`, ...says], help });
    await load('none.tar', notFound, ['no such file'], 'path');
    writeFileSync(at('text.tar'), 'this is not an archive');
    await load('text.tar', invalid, [], /again/);
    writeFileSync(at('noise.tar'), Buffer.alloc(5000, 'noise'));
    await load('noise.tar', invalid, ['not a tar archive'], /again/);
    writeFileSync(at('empty.tar'), '');
    await load('empty.tar', invalid, [], /./);
    writeFileSync(at('root.tar'), rawTar([{ name: 'etc/passwd', content: 'root:x:0:0::/:/bin/sh\n' }]));
    await load('root.tar', invalid, ['neither an OCI layout'], 'root file system');
    mkdirSync(at('folder'));
    await load('folder', invalid, [], /./);
    const { stdout } = await ok(['images', '-q'], { root: store.root });
    assert.equal(stdout, '');
  });

  test('archives that are cut short or damaged: nothing of them is kept', async () => {
    using store = emptyStore();
    const made = await archives(store);
    const at = (name: string): string => join(store.work, name);
    const whole = readFileSync(made.oci);
    // In the middle of a block, wherever that is.
    const half = whole.subarray(0, (whole.length >> 10) * 512 + 100);
    const o = { root: store.root, code: invalid, help: /again|repair/ };
    writeFileSync(at('short.tar'), half);
    await failsWith(['load', '-i', at('short.tar')], { ...o, says: [`"${at('short.tar')}"`] });
    writeFileSync(at('short.tar.gz'), gzipSync(whole).subarray(0, 500));
    await failsWith(['load', '-i', at('short.tar.gz')], { ...o, says: ['gzip data is damaged or cut short'] });
    await failsWith(['load'], { ...o, input: half, says: ['archive'] });
    const layer = layerOf(made.layout);
    for (const [title, damage, says, code] of [
      ['digest', (path: string): void => flip(join(path, 'blobs/sha256', layer), 50), [layer], 1],
      ['gone', (path: string): void => rmSync(join(path, 'blobs/sha256', layer)), [layer], notFound],
      [
        'index',
        (path: string): void => writeFileSync(join(path, 'index.json'), '{"schemaVersion":2,'),
        ['index.json'],
        invalid,
      ],
    ] as const) {
      const folder = at(`layout-${title}`);
      cpSync(made.layout, folder, { recursive: true });
      damage(folder);
      execFileSync('tar', ['-cf', at(`${title}.tar`), '-C', folder, '.']);
      for (const source of [folder, at(`${title}.tar`)])
        await failsWith(['load', '-i', source], { ...o, code, says: [...says], help: /./ });
    }
    const docker = at('docker-broken');
    cpSync(made.unpacked, docker, { recursive: true });
    writeFileSync(
      join(docker, 'manifest.json'),
      JSON.stringify([{ Config: 'none.json', RepoTags: ['a:1'], Layers: ['none.tar'] }]),
    );
    rmSync(join(docker, 'index.json'), { force: true });
    rmSync(join(docker, 'oci-layout'), { force: true });
    execFileSync('tar', ['-cf', at('docker-broken.tar'), '-C', docker, '.']);
    await failsWith(['load', '-i', at('docker-broken.tar')], { ...o, says: ['"none.json" is missing'] });
    const { stdout } = await ok(['images', '-q'], { root: store.root });
    assert.equal(stdout, '', 'no image of them is in the store');
    await ok(['doctor', '--check-store'], { root: store.root });
    await ok(['load', '-i', made.oci], { root: store.root });
    await ok(['load', '-i', made.docker], { root: store.root });
  });

  test('what save, copy and tag are asked for and is not there', async () => {
    using store = emptyStore();
    const out = join(store.work, 'out.tar');
    const o = { root: store.root, code: notFound };
    await failsWith(['save', '-o', out, 'nothing:1'], { ...o, says: ['"nothing:1"'], help: /./ });
    assert.ok(!existsSync(out));
    await failsWith(['copy', `oci-archive:${store.work}/none.tar`, 'docker://127.0.0.1:9/x'], {
      ...o,
      says: ['none.tar'],
      help: /./,
    });
    await failsWith(['copy', `oci:${store.work}/none`, `oci-archive:${out}`], {
      ...o,
      code: invalid,
      says: ['none'],
      help: /./,
    });
    assert.ok(!existsSync(out));
    for (const command of ['tag', 'inspect', 'history', 'rm'])
      await failsWith([command, 'nothing:1', ...(command === 'tag' ? ['other:1'] : [])], {
        ...o,
        says: ['"nothing:1"'],
        help: /./,
      });
    await failsWith(['copy', 'ftp://x', 'oci:y'], { root: store.root, code: invalid, says: ['ftp'], help: /./ });
    await failsWith(['buid', '.'], { root: store.root, code: invalid, says: ['"buid"'], help: 'build' });
  });
});
