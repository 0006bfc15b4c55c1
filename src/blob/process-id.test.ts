import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ownProcess, stateOfProcess } from './process-id.ts';

test('this process lives; another boot, another start and another number do not', () => {
  const own = ownProcess();
  assert.equal(stateOfProcess(own), 'alive');
  assert.equal(stateOfProcess({ ...own, bootId: 'before' }), 'ended');
  assert.equal(stateOfProcess({ ...own, startedAt: '1' }), 'ended');
  assert.equal(stateOfProcess({ ...own, pid: 1 << 30 }), 'ended');
  assert.equal(stateOfProcess({ ...own, namespace: 'pid:[1]' }), 'unknown');
});

test('one that has ended, and that nobody has taken note of, has ended', async () => {
  // The shell becomes a program that never asks for its children.
  const child = spawn('sh', ['-c', 'sleep 0.1 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [text] = (await once(child.stdout, 'data')) as [Buffer];
    const pid = Number(text.toString());
    const statOf = (): string[] =>
      readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /, '')
        .split(' ');
    const id = { ...ownProcess(), pid, startedAt: statOf()[19] ?? '' };
    assert.equal(stateOfProcess(id), 'alive');
    while (statOf()[0] !== 'Z') await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(stateOfProcess(id), 'ended');
  } finally {
    child.kill('SIGKILL');
  }
});
