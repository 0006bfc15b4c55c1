import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { findIdMaps } from '../../src/worker/ground/namespaces.ts';
import { testUser, userLacking } from '../lib/user.ts';

/** Runs `user-suite.ts` as an ordinary user: as root by becoming one. */
const isRoot = process.getuid?.() === 0;
const maps = isRoot ? undefined : findIdMaps();
const lacking = isRoot ? userLacking() : maps && 'reason' in maps ? maps.reason : undefined;

test('grounds of an ordinary user', { skip: lacking ?? false }, async () => {
  using user = isRoot ? testUser() : undefined;
  const suite = join(import.meta.dirname, 'user-suite.ts');
  const run = [...(user?.prefix ?? []), process.execPath, '--disable-warning=ExperimentalWarning', '--test', suite];
  const { NODE_TEST_CONTEXT: _, NODE_COMPILE_CACHE: __, ...env } = process.env;
  const child = spawn(run[0] ?? '', run.slice(1), {
    cwd: '/',
    env: { ...env, ...(user ? { HOME: user.home, TMPDIR: user.home, USER: user.name } : {}) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  const wrong = said.split('\n').filter((line) => !/^\s*✔/.test(line));
  assert.equal(code, 0, wrong.join('\n'));
  assert.match(said, /^ℹ skipped 0$/m);
});
