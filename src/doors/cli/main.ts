import { existsSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

// Compiled code is kept, so that starting costs no compilation: beside the bundle where that can be written, else with this user's caches, never where others may write.
const here = import.meta.dirname;
const { XDG_CACHE_HOME: caches, HOME: home } = process.env;
const own = import.meta.url.endsWith('.ts')
  ? join(here, '../../../node_modules/.cache/strake')
  : join(here, '.compile-cache');
const kept = enableCompileCache({ directory: own, portable: true });
if (kept.directory === undefined && !existsSync(own) && home !== undefined)
  enableCompileCache({
    directory: join(caches?.startsWith('/') ? caches : join(home, '.cache'), 'strake/compiled'),
    portable: true,
  });

const [first, ...rest] = process.argv.slice(2);
if (first === '__keeper') {
  const { keeperMain } = await import('../../worker/index.ts');
  await keeperMain(rest);
} else if (first === '__probe') {
  const { probeMain } = await import('./doctor/probe.ts');
  await probeMain(rest);
} else if ((first === 'version' || first === '--version' || first === '-v') && rest.length === 0) {
  const { versionLine } = await import('./version.ts');
  process.stdout.write(`${versionLine()}\n`);
} else {
  const { runProcess } = await import('./run-process.ts');
  process.exit(await runProcess(process.argv.slice(2)));
}
