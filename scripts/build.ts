/**
 * Bundles the program into dist/: one small entry that turns the compile cache on, and chunks that commands load as they need them. `--if-possible` (npm's `prepare`) does nothing on a
 * Node too old to run it, or where the sources are not there.
 */
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const optional = process.argv.includes('--if-possible');

if (optional && !existsSync(join(root, 'src/doors/cli/main.ts'))) process.exit(0);
const { build } = await import('esbuild');
const out = join(root, 'dist');
rmSync(out, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { main: 'src/doors/cli/main.ts', 'codec-worker': 'src/tree/codec-worker.ts' },
  outdir: out,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  loader: { '.wasm': 'binary' },
  chunkNames: 'chunks/[name]-[hash]',
  banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
  logLevel: 'warning',
});
