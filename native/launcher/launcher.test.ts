import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LAUNCHERS, sha256, sourceDigest, type LauncherDigests } from './build.ts';
import { launcherSuite } from './launcher.suite.ts';

const folder = import.meta.dirname;
const digests = JSON.parse(readFileSync(join(folder, 'digests.json'), 'utf8')) as LauncherDigests;
const MACHINES: Readonly<Record<string, number>> = { 'launcher-x64': 62, 'launcher-arm64': 183 };

launcherSuite('launcher', { binary: join(folder, `launcher-${process.arch}`) });

test('the binaries were remade after the last change of their sources', () => {
  assert.equal(sourceDigest(), digests.source, 'run npm run build:launcher');
  for (const name of LAUNCHERS)
    assert.equal(
      sha256(readFileSync(join(folder, name))),
      digests.binaries[name],
      `${name}: run npm run build:launcher`,
    );
});

test('the binaries are small and ask for nothing: no loader, no library, no stack that runs code', () => {
  const [LOAD, STACK] = [1, 0x6474e551];
  for (const name of LAUNCHERS) {
    const elf = readFileSync(join(folder, name));
    assert.ok(elf.length < 64 << 10, `${name}: ${elf.length} bytes`);
    // e_ident, e_type (fixed addresses) and e_machine
    assert.deepEqual([...elf.subarray(0, 6)], [0x7f, 0x45, 0x4c, 0x46, 2, 1]);
    assert.deepEqual([elf.readUInt16LE(16), elf.readUInt16LE(18)], [2, MACHINES[name]]);
    const [table, size, count] = [Number(elf.readBigUInt64LE(32)), elf.readUInt16LE(54), elf.readUInt16LE(56)];
    for (let i = 0; i < count; i++) {
      const [type, flags] = [elf.readUInt32LE(table + i * size), elf.readUInt32LE(table + i * size + 4)];
      assert.ok(type === LOAD || type === STACK, `${name}: a program header of type ${type.toString(16)}`);
      // Nothing can both be written and run.
      assert.notEqual(flags & 3, 3, `${name}: header ${i}`);
    }
  }
});
