import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { bytesOf, collect, findTool, hasCode, systemRandom, tempFolder } from '../base/index.ts';
import { arMembers } from './ar.ts';
import { openDeb, type Deb } from './deb.ts';
import { makeAr, makeDeb, makeTar } from './mini-archive.suite.ts';

async function opened<T>(content: Buffer, use: (deb: Deb) => Promise<T>, chunk = 1000): Promise<T> {
  using folder = tempFolder(tmpdir(), systemRandom);
  const chunks = Array.from({ length: Math.ceil(content.length / chunk) }, (_, i) =>
    content.subarray(i * chunk, (i + 1) * chunk),
  );
  return await use(await openDeb(bytesOf(...chunks), { folder: join(folder.path, 'deb'), what: 'package "x"' }));
}

const spec = {
  name: 'x',
  fields: { Depends: 'libc6' },
  control: { postinst: '#!/bin/sh\n', conffiles: '/etc/x\n' },
  files: { 'etc/': {}, 'etc/x': 'setting\n', 'usr/': {}, 'usr/x': { link: '/etc/x' }, 'usr/y': { hardlink: 'etc/x' } },
};

test('a package in every compression that is read here, whatever the chunks', async () => {
  for (const compression of ['gz', 'zst', ''] as const)
    for (const chunk of [7, 100_000])
      await opened(
        makeDeb({ ...spec, compression }),
        async (deb) => {
          assert.equal(deb.control.get('depends'), 'libc6');
          assert.equal(deb.scripts.get('postinst')?.executable, true);
          assert.equal(deb.scripts.get('conffiles')?.executable, false);
          assert.equal(deb.scripts.has('control'), false);
          assert.deepEqual(
            deb.entries.map(({ path, type }) => `${path} ${type}`).filter((line) => !line.startsWith(' ')),
            ['etc directory', 'etc/x file', 'usr directory', 'usr/x symlink', 'usr/y hardlink'],
          );
          const file = deb.entries.find(({ path }) => path === 'etc/x');
          assert.ok(file);
          assert.equal(Buffer.from(await collect(deb.data.read([file]))).toString(), 'setting\n');
        },
        chunk,
      );
});

test(
  "xz and bzip2 by the system's tools",
  { skip: findTool('xz') === undefined && 'xz is not installed' },
  async () => {
    const control = makeTar({ control: 'Package: x\n' });
    const data = makeTar({ 'a/': {}, 'a/b': 'b'.repeat(100_000) });
    const by = (tool: string, content: Buffer): Buffer => spawnSync(tool, ['-c'], { input: content }).stdout;
    const tools =
      findTool('bzip2') === undefined
        ? [['xz', 'xz']]
        : [
            ['xz', 'xz'],
            ['bzip2', 'bz2'],
          ];
    for (const [tool = '', ending = ''] of tools) {
      const deb = makeAr({
        'debian-binary': Buffer.from('2.0\n'),
        [`control.tar.${ending}`]: by(tool, control),
        [`data.tar.${ending}`]: by(tool, data),
      });
      await opened(deb, async ({ entries }) => assert.equal(entries.find(({ path }) => path === 'a/b')?.size, 100_000));
    }
  },
);

test('what is no package', async () => {
  const good = makeDeb(spec);
  const wrong: readonly (readonly [Buffer, string, RegExp])[] = [
    [Buffer.from('hello'), 'DEB_INVALID', /no ar archive/],
    [Buffer.alloc(0), 'DEB_INVALID', /no ar archive/],
    [good.subarray(0, good.length - 50), 'DEB_INVALID', /ends|decompress/],
    [good.subarray(0, 100), 'DEB_INVALID', /no proper header/],
    [Buffer.concat([good.subarray(0, 8), Buffer.from('x'.repeat(60))]), 'DEB_INVALID', /no proper header/],
    [makeAr({ 'debian-binary': Buffer.from('3.0\n') }), 'DEB_UNSUPPORTED', /format "3\.0"/],
    [makeAr({ 'debian-binary': Buffer.from('2.0\n') }), 'DEB_INVALID', /no control\.tar/],
    [
      makeAr({ 'debian-binary': Buffer.from('2.0\n'), 'control.tar.rar': Buffer.from('x') }),
      'DEB_UNSUPPORTED',
      /control\.tar\.rar/,
    ],
    [makeAr({ 'control.tar': makeTar({ postinst: '' }), 'data.tar': makeTar({}) }), 'DEB_INVALID', /no control file/],
    [
      makeAr({ 'control.tar.gz': Buffer.from('not gzip'), 'data.tar': makeTar({}) }),
      'DEB_INVALID',
      /decompress "control\.tar\.gz"/,
    ],
    [
      makeAr({ 'control.tar.xz': Buffer.from('not xz'), 'data.tar': makeTar({}) }),
      'DEB_INVALID',
      /decompress "control\.tar\.xz"/,
    ],
  ];
  for (const [content, code, message] of wrong) {
    if (/xz/.test(String(message)) && findTool('xz') === undefined) continue;
    await assert.rejects(
      opened(content, async () => undefined),
      (error) => hasCode(error, code) && message.test(error.message),
      String(message),
    );
  }
});

test('members of an ar archive that are not read are passed over', async () => {
  const archive = makeAr({ a: Buffer.from('one'), b: Buffer.from('four'), c: Buffer.from('') });
  const names: string[] = [];
  for await (const member of arMembers(bytesOf(archive), 'x')) names.push(`${member.name} ${member.size}`);
  assert.deepEqual(names, ['a 3', 'b 4', 'c 0']);
});
