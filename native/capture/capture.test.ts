import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { CAPTURE_MADE, CAPTURE_PROGRAMS } from '../../src/wire/buildkit/llb/capture-programs.ts';
import { captureCompilers, captureSource, makeCapture } from './build.ts';

const folder = mkdtempSync(join(tmpdir(), 'strake-capture-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const program = join(folder, 'capture');
writeFileSync(program, Buffer.from(CAPTURE_PROGRAMS[process.arch === 'arm64' ? 'arm64' : 'amd64'] ?? '', 'base64'));
chmodSync(program, 0o755);

let count = 0;
function run(...args: readonly string[]): {
  status: string;
  output: string;
  code: number | null;
  stdout: string;
  stderr: string;
} {
  const to = join(folder, `kept-${count++}`);
  mkdirSync(to);
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync(program, [to, ...args], { encoding: 'latin1', maxBuffer: 32 << 20 });
  const read = (name: string): string => readFileSync(join(to, name), 'latin1');
  return { status: read('status'), output: read('output'), code, stdout, stderr };
}

test('how a program ends and what it says is kept and handed on', () => {
  assert.deepEqual(run('sh', '-c', 'echo a; sleep 0.1; echo b >&2; exit 7'), {
    status: '7',
    output: 'a\nb\n',
    code: 0,
    stdout: 'a\n',
    stderr: 'b\n',
  });
  assert.equal(run('/bin/sh', '-c', 'kill -9 $$').status, '137');
  assert.equal(run('true').status, '0');
  assert.equal(run('sh', '-c', 'exit 255').status, '255');
});

test('a program that cannot be run is a failure', () => {
  const { code, status, stderr } = run('no-such-program');
  assert.deepEqual([code, status], [127, '']);
  assert.match(stderr, /"no-such-program": not found/);
  assert.equal(run(folder).code, 126);
});

test('at most 4 MiB are kept; what outlives the program is not waited for', () => {
  const much = run('sh', '-c', 'head -c 5000000 /dev/zero');
  assert.deepEqual([much.output.length, much.stdout.length], [4 << 20, 5_000_000]);
  const left = join(folder, 'left');
  const { status, output } = run('sh', '-c', `(sleep 0.5; echo late > ${left}) </dev/null >/dev/null 2>&1 & echo here`);
  assert.deepEqual([status, output], ['0', 'here\n']);
});

test('the programs are made of their source', (t) => {
  assert.equal(captureSource(), CAPTURE_MADE.source, 'run npm run build:capture');
  const compilers = captureCompilers();
  if (compilers?.join() === CAPTURE_MADE.compilers.join()) assert.deepEqual(makeCapture(), CAPTURE_PROGRAMS);
  else t.skip(`made by ${CAPTURE_MADE.compilers.join(', ')}; here: ${compilers?.join(', ') ?? 'none'}`);
});
