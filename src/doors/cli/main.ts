import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { collectLess } from './collect-less.ts';

/** The program: what each first word starts. The bundle runs it by `start.ts`. */
async function main(): Promise<void> {
  const [first, ...rest] = process.argv.slice(2);
  // A link of kaniko's name to the program is called with kaniko's flags, one of pack's with pack's, one of a lifecycle's program with that one's, one of BuildKit's daemon with that one's.
  const called = /(?:^|\/)(executor|warmer)$/.exec(process.argv0)?.[1];
  const phase = /(?:^|\/)(analyzer|detector|restorer|extender|builder|exporter|creator|rebaser)$/.exec(
    process.argv0,
  )?.[1];
  const isDaemon = /(?:^|\/)buildkitd$/.test(process.argv0);
  const isPack = /(?:^|\/)pack$/.test(process.argv0);
  if (first === '__keeper') {
    const { keeperMain } = await import('../../worker/index.ts');
    await keeperMain(rest);
  } else if (first === '__monitor') {
    const { monitorMain } = await import('./container/monitor-main.ts');
    await monitorMain(rest);
    process.exit();
  } else if (first === '__step') {
    const { stepMain } = await import('../../exec/index.ts');
    stepMain(rest);
  } else if (first === '__probe') {
    const { probeMain } = await import('./doctor/probe.ts');
    await probeMain(rest);
  } else if (first === '__phase') {
    await lifecycle(rest);
  } else if (isPack || first === 'pack') {
    await pack(isPack ? process.argv.slice(2) : rest);
  } else if (phase !== undefined) {
    await lifecycle([phase, ...process.argv.slice(2)]);
  } else if (isDaemon || first === 'daemon') {
    collectLess();
    const { runProcess } = await import('./run-process.ts');
    const { runCli } = await import('./run-cli.ts');
    process.exit(await runProcess(['daemon', ...(isDaemon ? process.argv.slice(2) : rest)], runCli, { lasting: true }));
  } else if (first === 'lifecycle') {
    await lifecycle(rest);
  } else if (called !== undefined) {
    await kaniko(called, process.argv.slice(2));
  } else if (first === 'executor' || first === 'warmer') {
    await kaniko(first, rest);
  } else {
    const { runProcess } = await import('./run-process.ts');
    process.exit(await runProcess(process.argv.slice(2)));
  }
}

/** The programs with kaniko's command lines. */
async function kaniko(name: string, argv: readonly string[]): Promise<never> {
  const { runProcess } = await import('./run-process.ts');
  const { runExecutor, runWarmer } = await import('../executor/index.ts');
  process.exit(await runProcess(argv, name === 'executor' ? runExecutor : runWarmer));
}

/** pack's command line. */
async function pack(argv: readonly string[]): Promise<never> {
  const { runProcess } = await import('./run-process.ts');
  const { runPack } = await import('../pack/index.ts');
  process.exit(await runProcess(argv, runPack));
}

/** The programs of a buildpacks lifecycle. */
async function lifecycle(argv: readonly string[]): Promise<never> {
  const { runProcess } = await import('./run-process.ts');
  const { runLifecycle } = await import('../lifecycle/index.ts');
  process.exit(await runProcess(argv, runLifecycle));
}

// From the sources: what has been compiled is kept by Node.
if (import.meta.url.endsWith('.ts'))
  enableCompileCache({ directory: join(import.meta.dirname, '../../../node_modules/.cache/strake'), portable: true });
void main();
