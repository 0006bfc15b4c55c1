import { enableCompileCache } from 'node:module';
import { join } from 'node:path';

/** The program: what each first word starts. The bundle runs it by `start.ts`. */
async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  if (first === '__keeper') {
    const { keeperMain } = await import('../../worker/index.ts');
    await keeperMain(rest);
  } else if (first === '__probe') {
    const { probeMain } = await import('./doctor/probe.ts');
    await probeMain(rest);
  } else {
    const { runProcess } = await import('./run-process.ts');
    process.exit(await runProcess(process.argv.slice(2)));
  }
}

// From the sources: what has been compiled is kept by Node.
if (import.meta.url.endsWith('.ts'))
  enableCompileCache({ directory: join(import.meta.dirname, '../../../node_modules/.cache/strake'), portable: true });
void main();
