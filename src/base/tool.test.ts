import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from './error.ts';
import { findTool, runTool } from './tool.ts';
import type { Bytes } from './bytes.ts';

test('a program runs to its end, with input, environment and folder', async () => {
  const { code, stdout, stderr } = await runTool('sh', ['-c', 'cat; echo "$A $PWD"; echo err >&2'], {
    input: Buffer.from('in '),
    env: { PATH: process.env['PATH'] ?? '', A: 'x' },
    cwd: '/',
  });
  assert.deepEqual([code, stdout.toString(), stderr], [0, 'in x /\n', 'err\n']);
});

test('a program that fails, is missing or is killed is told apart', async () => {
  await assert.rejects(
    runTool('sh', ['-c', 'echo why >&2; exit 3']),
    (error) => hasCode(error, 'TOOL_FAILED') && error.message === 'run "sh": exit code 3: why',
  );
  assert.equal((await runTool('sh', ['-c', 'exit 3'], { check: false })).code, 3);
  assert.equal((await runTool('sh', ['-c', 'kill -9 $$'], { check: false })).code, 137);
  await assert.rejects(runTool('no-such-program', []), (error) => hasCode(error, 'TOOL_NOT_FOUND'));
  await assert.rejects(runTool('sleep', ['1000'], { signal: AbortSignal.abort() }), (error) =>
    hasCode(error, 'CANCELLED'),
  );
  const stop = new AbortController();
  const running = runTool('sleep', ['1000'], { signal: stop.signal });
  stop.abort();
  await assert.rejects(running, (error) => hasCode(error, 'CANCELLED'));
});

test('a program that does not read its input to the end ends all the same', async () => {
  let given = 0;
  const endless = async function* (): Bytes {
    for (; given < 10_000; given++) yield Buffer.alloc(1 << 16);
  };
  const { stdout } = await runTool('head', ['-c', '3'], { input: endless() });
  assert.equal(stdout.length, 3);
  assert.ok(given < 10_000);
  const silent = async function* (): Bytes {
    yield Buffer.from('first');
    await new Promise(() => undefined);
  };
  assert.equal((await runTool('true', [], { input: silent() })).code, 0);
  const broken = async function* (): Bytes {
    yield Buffer.from('half');
    throw new TypeError('source broke');
  };
  await assert.rejects(runTool('cat', [], { input: broken() }), /source broke/);
});

test('programs are found on the path and in sbin', () => {
  assert.equal(findTool('sh', '/nowhere:/bin'), '/bin/sh');
  assert.equal(findTool('no-such-program'), undefined);
});
