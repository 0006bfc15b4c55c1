import { execFile } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestStore } from '../lib/store.ts';
import { CHECKOUT } from '../lib/strake.ts';

const run = promisify(execFile);

/** The root file system of strake's own image, made by `npm run image`: the debug variant, which is the image and a shell. */
export async function imageRoot(store: TestStore): Promise<string> {
  const archive = join(store.work, 'image.tar');
  const script = join(CHECKOUT, 'scripts/image.ts');
  const env = { ...process.env, STRAKE_ROOT: store.root, STRAKE_IMAGE: 'strake:test' };
  const args = ['--disable-warning=ExperimentalWarning', script, '-q', '-o', `type=tar,dest=${archive}`];
  await run(process.execPath, args, { env, maxBuffer: 64 << 20 });
  const root = join(store.work, 'image');
  mkdirSync(root);
  await run('tar', ['-xf', archive, '-C', root, '--numeric-owner', '--xattrs']);
  return root;
}
