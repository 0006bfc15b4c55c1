import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { craftedRegistry, rawTar, shellRoot } from '../lib/crafted.ts';
import { failsWith } from '../lib/failure.ts';
import { leftovers } from '../lib/leftovers.ts';
import { emptyStore } from '../lib/store.ts';
import { ok } from '../lib/strake.ts';
import { loneUser, testUser, userLacking } from '../lib/user.ts';

const needsRoot = process.getuid?.() === 0 ? false : 'only root can mount';
const exhausted = 74;
const denied = 77;
const MIB = 1 << 20;

/** A file system of this size in memory. */
function smallDisk(path: string, mib: number): Disposable & { resize(mib: number): void } {
  const mount = (...args: string[]): void => {
    const { status, stderr } = spawnSync('mount', args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  };
  mkdirSync(path);
  mount('-t', 'tmpfs', '-o', `size=${mib}m`, 'strake-e2e', path);
  return {
    resize: (to) => mount('-o', `remount,size=${to}m`, path),
    [Symbol.dispose]: () => {
      const { status, stderr } = spawnSync('umount', [path], { encoding: 'utf8' });
      assert.equal(status, 0, `nothing holds the store's file system: ${stderr}`);
    },
  };
}

describe('bad input (must show 8): the machine', () => {
  const store = { code: exhausted, says: ['no space'], help: 'strake prune' };
  const step = { code: 1, says: ['did not complete successfully'], help: /./ };
  const cases: readonly {
    title: string;
    steps: readonly string[];
    mib: number;
    expected: typeof store | typeof step;
  }[] = [
    { title: 'by a COPY', steps: ['COPY big /big'], mib: 12, expected: store },
    { title: 'by what a RUN stands on', steps: ['COPY big /big', 'RUN true'], mib: 40, expected: store },
    {
      title: 'by what a RUN writes',
      steps: [
        'COPY big /big',
        'RUN set -e; s=0123456789abcdef; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do s=$s$s; done; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo "$s"; done > /bigger',
      ],
      mib: 60,
      expected: step,
    },
    { title: 'by a base that is fetched', steps: ['COPY Dockerfile /', 'RUN true'], mib: 3, expected: store },
  ];
  for (const { title, steps, mib, expected } of cases)
    test(
      `a disk that is full ${title}: said with the store and the remedy; with more room the same build succeeds`,
      { skip: needsRoot },
      async () => {
        using folder = emptyStore();
        const root = join(folder.work, 'disk/store');
        await using registry = await craftedRegistry();
        const { name } = await registry.image('shell', [
          rawTar([...shellRoot(), { name: 'ballast', content: Buffer.alloc(8 * MIB) }]),
        ]);
        const context = join(folder.work, 'context');
        mkdirSync(context);
        writeFileSync(join(context, 'big'), Buffer.alloc(16 * MIB, `${'0123456789abcdef'.repeat(64)}\n`));
        writeFileSync(join(context, 'Dockerfile'), [`FROM ${name}`, ...steps, ''].join('\n'));
        using disk = smallDisk(join(folder.work, 'disk'), mib);
        await failsWith(['build', '--progress=plain', context], {
          ...expected,
          says: [...expected.says, ...(expected === store ? [`"${root}`] : [])],
          root,
        });
        disk.resize(mib * 8);
        await ok(['build', '--progress=plain', context], { root });
        assert.deepEqual(leftovers(root), []);
        const check = await ok(['doctor', '--check-store'], { root });
        assert.equal(check.code, 0);
      },
    );

  test('an output on a full disk: nothing half-written is left there', { skip: needsRoot }, async () => {
    using store = emptyStore();
    writeFileSync(join(store.work, 'big'), Buffer.alloc(4 * MIB, 'x'));
    writeFileSync(join(store.work, 'Dockerfile'), 'FROM scratch\nCOPY big /\n');
    const out = join(store.work, 'out');
    using disk = smallDisk(out, 2);
    const o = { root: store.root, code: exhausted, says: [`"${out}`, 'no space'], help: /room|elsewhere|another/ };
    await failsWith(
      ['build', '--progress=plain', '-o', `type=oci,compression=uncompressed,dest=${out}/image.tar`, store.work],
      o,
    );
    assert.deepEqual(readdirSync(out), []);
    await failsWith(['build', '--progress=plain', '-o', `type=tar,dest=${out}/root.tar`, store.work], o);
    assert.deepEqual(readdirSync(out), []);
    await failsWith(['build', '--progress=plain', '-o', `type=local,dest=${out}/root`, store.work], o);
    disk.resize(32);
    rmSync(join(out, 'root'), { recursive: true, force: true });
    await ok(['build', '--progress=plain', '-o', `type=local,dest=${out}/root`, store.work], { root: store.root });
    assert.ok(existsSync(join(out, 'root/big')));
  });

  test('a store that this user may not write to', { skip: userLacking() }, async () => {
    using user = testUser();
    using store = emptyStore(user);
    writeFileSync(join(store.work, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
    mkdirSync(store.root, { mode: 0o755 });
    const o = {
      user,
      cwd: user.home,
      root: store.root,
      code: denied,
      says: [`"${store.root}"`, 'permission denied'],
      help: '--root',
    };
    await failsWith(['build', store.work], o);
    await failsWith(['images'], o);
    assert.deepEqual(readdirSync(store.root), []);
    // Made by somebody else, then entered by this user.
    await ok(['build', '--progress=plain', store.work], { root: store.root });
    chmodSync(store.root, 0o755);
    await failsWith(['build', store.work], { ...o, says: [`"${store.root}`], help: /./ });
    using inFile = emptyStore(user);
    writeFileSync(join(inFile.work, 'file'), '');
    await failsWith(['images'], {
      ...o,
      root: join(inFile.work, 'file'),
      says: [`"${join(inFile.work, 'file')}`],
      help: '--root',
    });
  });

  test('an output folder that this user may not write to', { skip: userLacking() }, async () => {
    using user = testUser();
    using store = emptyStore(user);
    writeFileSync(join(store.work, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n');
    const closed = join(store.work, 'closed');
    mkdirSync(closed, { mode: 0o755 });
    const o = {
      user,
      cwd: user.home,
      root: store.root,
      code: denied,
      says: [`"${closed}`, 'permission denied'],
      help: /./,
    };
    const build = (...args: string[]) => failsWith(['build', '--progress=plain', ...args, store.work], o);
    await build('-o', `type=oci,dest=${closed}/image.tar`);
    await build('-o', `type=local,dest=${closed}/root`);
    await build('--iidfile', `${closed}/id`);
    await build('--metadata-file', `${closed}/metadata.json`);
    assert.deepEqual(readdirSync(closed), []);
    await failsWith(['build', '--progress=plain', '-o', `type=oci,dest=${store.work}/none/image.tar`, store.work], {
      ...o,
      code: 66,
      says: [`"${store.work}/none/image.tar": no such file or folder`],
      help: 'folder',
    });
  });

  test('a step that needs another id where this user has but one', { skip: userLacking() }, async () => {
    using user = loneUser();
    using store = emptyStore(user);
    await using registry = await craftedRegistry();
    const { name } = await registry.image('shell', [rawTar(shellRoot())]);
    const o = { user, cwd: user.home, root: store.root };
    const write = (...steps: string[]): void =>
      writeFileSync(join(store.work, 'Dockerfile'), [`FROM ${name}`, ...steps, ''].join('\n'));
    const build = ['build', '--progress=plain', store.work];
    write('RUN echo alone > /made');
    await ok(build, o);
    write('RUN echo alone > /made', 'USER 1000', 'RUN true');
    const place = { at: 'Dockerfile:4', line: 'RUN true' };
    await failsWith(build, { ...o, code: 78, place, says: ['1000'], help: /uidmap|subuid/ });
  });
});
