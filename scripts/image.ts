/**
 * `npm run image [-- <options of strake build>]`: builds strake's own image with strake itself, and its debug variant with a shell; `strake:<version>` and `strake:<version>-debug` in the local store. STRAKE_IMAGE names them otherwise.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const checkout = join(import.meta.dirname, '..');
const { version } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8')) as { version: string };
const name = process.env['STRAKE_IMAGE'] ?? `strake:${version}`;
const node = join(checkout, `node_modules/node-linux-${process.arch}/bin/node`);
const context = mkdtempSync(join(tmpdir(), 'strake-image-'));
try {
  // Makes the bundle where it is older than the sources.
  run(['version']);
  copyFileSync(node, join(context, 'node'));
  cpSync(join(checkout, 'dist'), join(context, 'bundle'), { recursive: true });
  for (const path of ['scripts/image/make.ts', 'src/doors/cli/buildpack/moved-program.ts'])
    cpSync(join(checkout, path), join(context, path));
  const file = join(checkout, 'scripts/image/Dockerfile');
  for (const [target, tag] of [
    ['executor', name],
    ['debug', `${name}-debug`],
  ] as const)
    run(['build', '-f', file, '--target', target, '-t', tag, ...process.argv.slice(2), context]);
} finally {
  rmSync(context, { recursive: true, force: true });
}

function run(args: readonly string[]): void {
  const { status } = spawnSync(join(checkout, 'strake'), args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) {
    rmSync(context, { recursive: true, force: true });
    process.exit(status ?? 1);
  }
}
