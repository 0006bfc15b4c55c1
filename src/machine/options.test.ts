import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasCode } from '../base/index.ts';
import { parseEnvFile } from './env-file.ts';
import { signalName, signalNumber } from './signals.ts';
import { parseTmpfs, parseVolume, volumeMount } from './volumes.ts';

const at = { cwd: '/here', home: '/home/me' };
const invalid = (error: unknown): boolean => hasCode(error, 'RUN_INVALID');

test('what -v can say', () => {
  assert.deepEqual(parseVolume('/a:/b', at), { kind: 'bind', source: '/a', target: '/b', readonly: false });
  assert.deepEqual(parseVolume('./a:/b/c/:ro', at), {
    kind: 'bind',
    source: '/here/a',
    target: '/b/c',
    readonly: true,
  });
  assert.deepEqual(parseVolume('../a:/b:rw,z', at), { kind: 'bind', source: '/a', target: '/b', readonly: false });
  assert.deepEqual(parseVolume('~/a:/b', at), { kind: 'bind', source: '/home/me/a', target: '/b', readonly: false });
  assert.deepEqual(parseVolume('/own', at), { kind: 'own', target: '/own' });
  for (const text of ['', 'x', '/a:', ':/b', '/a:b', '/a:/', '/a:/..', '/a:/b:what', '/a:/b:ro:more'])
    assert.throws(() => parseVolume(text, at), invalid, text);
  const named = { kind: 'volume', name: 'named', target: '/b', readonly: false, fill: true };
  assert.deepEqual(parseVolume('named:/b', at), named);
  assert.deepEqual(parseVolume('named:/b:ro,nocopy', at), { ...named, readonly: true, fill: false });
  assert.throws(() => parseVolume('folder/below:/b', at), invalid);
});

test('a source that is missing becomes a folder; one that cannot is told', () => {
  const folder = mkdtempSync(join(tmpdir(), 'strake-volumes-'));
  try {
    const source = join(folder, 'a/b');
    assert.deepEqual(volumeMount({ source, target: '/t', readonly: true }), {
      type: 'bind',
      source,
      target: '/t',
      readonly: true,
    });
    assert.ok(statSync(source).isDirectory());
    writeFileSync(join(folder, 'file'), '');
    assert.throws(
      () => volumeMount({ source: join(folder, 'file/below'), target: '/t', readonly: false }),
      (error) => hasCode(error, 'VOLUME_UNUSABLE'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('what --tmpfs can say', () => {
  const plain = { type: 'tmpfs', target: '/t', mode: 0o1777, flags: ['noexec', 'nodev'] };
  assert.deepEqual(parseTmpfs('/t'), plain);
  assert.deepEqual(parseTmpfs('/t:size=64m,mode=0700,exec,ro'), {
    ...plain,
    size: 64 << 20,
    mode: 0o700,
    flags: ['nodev', 'ro'],
  });
  assert.deepEqual(parseTmpfs('/t:rw,noexec,nosuid,size=1024'), { ...plain, size: 1024 });
  for (const text of ['t', '/', '/t:size=big', '/t:mode=9', '/t:uid=5'])
    assert.throws(() => parseTmpfs(text), invalid, text);
});

test('lines of an env file', () => {
  const fail = (line: number, detail: string): Error => new Error(`${line}: ${detail}`);
  const text = '\ufeff# c\nA=1\r\n\n  B = "x" \nFROM\nGONE\nC==\n';
  assert.throws(() => parseEnvFile(text, { env: {}, fail }), /4: name "B " has white space/);
  assert.deepEqual(parseEnvFile(text.replace('B = ', 'B= '), { env: { FROM: 'here' }, fail }), [
    'A=1',
    'B= "x" ',
    'FROM=here',
    'C==',
  ]);
  assert.throws(() => parseEnvFile('=x', { env: {}, fail }), /1: the name is missing/);
});

test('signals by every name that STOPSIGNAL takes', () => {
  for (const [text, number] of [
    ['SIGTERM', 15],
    ['term', 15],
    ['9', 9],
    [' SIGQUIT ', 3],
    ['SIGRTMIN+3', 37],
    ['RTMAX-1', 63],
    ['SIGRTMIN', 34],
  ] as const)
    assert.equal(signalNumber(text), number, text);
  for (const text of ['', 'SIGNO', '0', '65', '-1', '1.5', 'RTMIN+99'])
    assert.throws(() => signalNumber(text), invalid, text);
  assert.equal(signalName(15), 'SIGTERM');
  assert.equal(signalName(40), 'signal 40');
});
