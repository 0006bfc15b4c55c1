import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemRandom, tempFolder } from '../base/index.ts';
import { programOf, tryArchitecture } from './foreign.ts';

const OWN = process.arch === 'x64' ? 'amd64' : process.arch;

test("this machine's own programs run, those nobody knows are left to the step, nothing is left", async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const o = { folder: folder.path, binfmt: join(folder.path, 'none') };
  assert.deepEqual(await tryArchitecture(OWN, o), { works: true });
  assert.deepEqual(await tryArchitecture('pdp11', o), { works: true });
  assert.deepEqual(readdirSync(folder.path), []);
});

test('an emulator that is looked for in the root is none; one that is kept open is', async () => {
  using folder = tempFolder(tmpdir(), systemRandom);
  const binfmt = join(folder.path, 'binfmt');
  mkdirSync(binfmt);
  writeFileSync(join(binfmt, 'register'), '');
  const magic = programOf(OWN)?.subarray(0, 20).toString('hex') ?? assert.fail();
  // As the kernel shows an entry: the class may be any, and the type of file an executable or a shared object.
  const mask = 'ffffffffffffff00fffffffffffffffffeffffff';
  const entry = (flags: string, state = 'enabled'): string =>
    `${state}\ninterpreter /usr/bin/qemu\nflags: ${flags}\noffset 0\nmagic ${magic}\nmask ${mask}\n`;
  const tried = async (...entries: readonly string[]): Promise<unknown> => {
    for (const [i, text] of entries.entries()) writeFileSync(join(binfmt, `entry-${i}`), text);
    return tryArchitecture(OWN, { folder: folder.path, binfmt });
  };
  assert.deepEqual(await tried(entry('OC')), { works: false, reason: 'detached' });
  assert.deepEqual(await tried(entry('OCF')), { works: true });
  assert.deepEqual(await tried(entry('P'), entry('F')), { works: true });
  assert.deepEqual(await tried(entry('P', 'disabled'), 'enabled\ninterpreter /x\nflags: \nextension .jar\n'), {
    works: true,
  });
});

test('programs of other architectures are told as such', () => {
  for (const [name, number, bigEndian] of [
    ['s390x', 22, true],
    ['riscv64', 243, false],
    ['ppc64le', 21, false],
  ] as const) {
    const program = programOf(name) ?? assert.fail(name);
    assert.equal(program.subarray(0, 4).toString('latin1'), '\x7fELF');
    assert.equal(bigEndian ? program.readUInt16BE(18) : program.readUInt16LE(18), number, name);
  }
});
