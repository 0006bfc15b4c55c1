import { constants, enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Compiled code is kept beside the bundle, where it is kept at all, so that starting costs no compilation.
const cached = enableCompileCache(join(import.meta.dirname, '.compile-cache'));
if (cached.status === constants.compileCacheStatus.FAILED) enableCompileCache();

const [, , first, ...rest] = process.argv;
if (first === '__keeper') {
  const { keeperMain } = await import('../../worker/index.ts');
  await keeperMain(rest);
} else {
  const { runCli } = await import('./run-cli.ts');
  process.exitCode = await runCli(process.argv.slice(2));
}
