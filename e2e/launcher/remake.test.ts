/** The kept launchers are what strake makes of their sources. Needs root and Debian's mirror. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { OTHER_COMPILERS } from '../../native/launcher/build.ts';
import { storeWithBase } from '../lib/store.ts';
import { CHECKOUT } from '../lib/strake.ts';
import { reasonToSkip } from '../packages/world.ts';

test('the launchers, made again, are the same bytes', { skip: await reasonToSkip(), timeout: 600_000 }, async (t) => {
  using store = await storeWithBase();
  const child = spawn(process.execPath, [join(CHECKOUT, 'native/launcher/build.ts'), '--check'], {
    env: { ...process.env, STRAKE_ROOT: store.root },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const said: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  const text = Buffer.concat(said).toString();
  if (code === OTHER_COMPILERS) return t.skip(text.trimEnd().split('\n').at(-1));
  assert.equal(code, 0, text.slice(-4000));
});
