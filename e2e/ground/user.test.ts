import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { accessSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { findUser } from './as-user.ts';

/** Runs `user-suite.ts` as an ordinary user: as root by becoming one. */
const user = findUser();

test('grounds of an ordinary user', { skip: 'reason' in user ? user.reason : false }, async () => {
  assert.ok('command' in user);
  const suite = join(import.meta.dirname, 'user-suite.ts');
  accessSync(suite);
  const run = [...user.command, process.execPath, '--disable-warning=ExperimentalWarning', '--test', suite];
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const child = spawn(run[0] ?? '', run.slice(1), {
    cwd: '/',
    env: { ...env, HOME: user.home },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  assert.equal(
    code,
    0,
    said
      .split('\n')
      .filter((line) => !/^\s*✔/.test(line))
      .join('\n'),
  );
  assert.match(said, /^ℹ skipped 0$/m);
});
