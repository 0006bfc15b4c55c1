import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { dot } from 'node:test/reporters';

export interface FilesResult {
  readonly pass: number;
  readonly fail: number;
  /** What was skipped, with the reason. */
  readonly skipped: readonly string[];
  /** Seconds that each file took, the slowest first. */
  readonly seconds: readonly (readonly [file: string, seconds: number])[];
}

/** The files that take longest, so that none of them begins last. The first makes the bases that many want; the next want none of them. */
const LONGEST: readonly string[] = [
  'e2e/buildpack/embedded.test.ts',
  'e2e/dockerfile/corpus.test.ts',
  'e2e/buildpack/phases.test.ts',
  'e2e/buildpack/extender.test.ts',
  'e2e/newcomer.test.ts',
  'e2e/buildpack/python.test.ts',
  'e2e/buildpack/distribution.test.ts',
  'e2e/build/kill.test.ts',
];

/** Runs test files, each in a process of its own, one more at once than there are processors, as some wait. `timeout` of one test in ms. */
export async function testFiles(files: readonly string[], o: { timeout: number }): Promise<FilesResult> {
  const rank = (file: string): number => (LONGEST.includes(file) ? LONGEST.indexOf(file) : LONGEST.length);
  const skipped: string[] = [];
  const seconds: [string, number][] = [];
  const counts = { passed: 0, failed: 0, cancelled: 0 };
  const stream = run({
    files: files.toSorted((a, b) => rank(a) - rank(b)).map((file) => resolve(file)),
    concurrency: availableParallelism() + 1,
    timeout: o.timeout,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  stream.on('test:pass', ({ name, skip }) => {
    if (skip !== undefined && skip !== false) skipped.push(`${name}: ${skip === true ? '' : skip}`);
  });
  stream.on('test:complete', ({ name, file, details }) => {
    if (name === file) seconds.push([relative(process.cwd(), file), details.duration_ms / 1000]);
  });
  stream.on('test:summary', (summary) => {
    if (summary.file === undefined) Object.assign(counts, summary.counts);
  });
  for await (const text of dot(stream)) process.stdout.write(text);
  return {
    pass: counts.passed,
    fail: counts.failed + counts.cancelled,
    skipped,
    seconds: seconds.sort(([, a], [, b]) => b - a),
  };
}
