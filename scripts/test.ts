/**
 * The project's one test command. Installs missing system packages (as root on Debian), then checks types, lint and format, runs the unit tests in two processes, then the end-to-end tests, each file in a process of its own.
 *   npm test              everything, at reduced size          npm run test:unit     without e2e
 *   npm run test:full     e2e at full size, with the bench     npm test -- e2e/x     only what matches
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { installPackages } from './system-packages.ts';
import { onOwnDisk } from './test-disk.ts';
import { testFiles } from './test-files.ts';

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const full = args.includes('--full');
const only = args.filter((arg) => !arg.startsWith('--'));
const unitOnly = args.includes('--unit');
const totals = { pass: 0, fail: 0, skipped: 0 };
const failures: string[] = [];
const steps: string[] = [];

process.chdir(root);
const onDisk = '--on-own-disk';
const code = args.includes(onDisk)
  ? undefined
  : await onOwnDisk([process.execPath, ...process.execArgv, import.meta.filename, ...args, onDisk]);
process.exit(code ?? (await all()));

async function all(): Promise<number> {
  const scratch = mkdtempSync(join(tmpdir(), 'strake-test-'));
  Object.assign(process.env, {
    STRAKE_TEST_FULL: full ? '1' : '',
    STRAKE_TEST_SHARED: join(scratch, 'shared'),
    NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compile'),
  });
  let missing: string[] = [];
  let slowest: readonly (readonly [string, number])[] = [];
  try {
    // They come while the processors check what is written.
    const packages = unitOnly ? [] : timed('packages', () => installPackages({ full }));
    if (only.length === 0 && (await run('check', 'node', ['scripts/check.ts'])) !== 0) fail('types, lint and format');
    missing = await packages;
    await timed('unit', () => Promise.all([unit(scratch, 1), unit(scratch, 2)]));
    if (!unitOnly) {
      if ((await run('build', 'node', ['scripts/build.ts'])) !== 0) fail('bundle');
      slowest = await timed('e2e', endToEnd);
    }
    if (full && only.length === 0 && (await run('bench', 'node', ['bench/main.ts'])) !== 0) fail('bench');
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
  for (const line of failures) console.log(`failed: ${line}`);
  if (missing.length > 0) console.log(`not run for want of Debian packages: tests that need ${missing.join(', ')}`);
  if (slowest.length > 1) {
    console.log('\nthe slowest files:');
    for (const [file, seconds] of slowest.slice(0, 10)) console.log(`${seconds.toFixed(1).padStart(7)} s  ${file}`);
    const sum = slowest.reduce((total, [, seconds]) => total + seconds, 0);
    console.log(`${sum.toFixed(1).padStart(7)} s  all ${slowest.length}, one after the other`);
  }
  console.log(`\n${steps.join(', ')}`);
  console.log(`${totals.pass} passed, ${totals.fail} failed, ${totals.skipped} skipped`);
  return totals.fail === 0 ? 0 : 1;
}

async function endToEnd(): Promise<readonly (readonly [string, number])[]> {
  const files = await matching('e2e/**/*.test.ts');
  if (files.length === 0) return [];
  console.log('— e2e');
  const { pass, fail: failed, skipped, seconds } = await testFiles(files, { timeout: full ? 3_600_000 : 600_000 });
  totals.pass += pass;
  totals.fail += failed;
  totals.skipped += skipped.length;
  for (const line of skipped) console.log(`skipped: ${line}`);
  console.log(`e2e: ${pass} passed, ${failed} failed, ${skipped.length} skipped`);
  return seconds;
}

/** All unit tests of a half of the files run in one process. */
async function unit(scratch: string, shard: number): Promise<void> {
  const files = await matching('src/**/*.test.ts', 'native/**/*.test.ts');
  if (files.length < shard) return;
  const shards = files.length > 1 ? [`--test-shard=${shard}/2`] : [];
  const report = join(scratch, `unit-${shard}.tap`);
  const name = `unit ${shard}/2`;
  const reporters = [
    '--test-reporter=dot',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${report}`,
  ];
  const how = ['--disable-warning=ExperimentalWarning', '--test', '--test-isolation=none', ...shards, ...reporters];
  const code = await run(name, 'node', [...how, ...files]);
  const tap = readFileSync(report, 'utf8');
  const count = (key: string): number => Number(new RegExp(`^# ${key} (\\d+)$`, 'm').exec(tap)?.[1] ?? 0);
  const failed = count('fail') + count('cancelled');
  totals.pass += count('pass');
  totals.fail += failed;
  totals.skipped += count('skipped');
  for (const match of tap.matchAll(/^\s*ok \d+ - (.*?) # SKIP ?(.*)$/gm))
    console.log(`skipped: ${match[1]}: ${match[2]}`);
  console.log(`\n${name}: ${count('pass')} passed, ${failed} failed, ${count('skipped')} skipped`);
  if (code !== 0 && failed === 0) fail(`${name}: the runner ended with ${code}`);
}

async function matching(...patterns: string[]): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of patterns)
    for await (const file of glob(pattern, { exclude: ['**/node_modules/**'] })) files.push(file);
  return files.filter((file) => only.length === 0 || only.some((part) => file.includes(part))).sort();
}

function fail(what: string): void {
  failures.push(what);
  totals.fail += 1;
}

async function timed<T>(name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  try {
    return await work();
  } finally {
    steps.push(`${name} ${((performance.now() - started) / 1000).toFixed(1)} s`);
  }
}

async function run(name: string, command: string, commandArgs: readonly string[]): Promise<number> {
  console.log(`— ${name}`);
  const work = (): Promise<number> => {
    const child = spawn(command, commandArgs, { stdio: ['ignore', 'inherit', 'inherit'] });
    return new Promise((resolve) => child.on('close', (status) => resolve(status ?? 1)));
  };
  return name.startsWith('unit') ? work() : timed(name, work);
}
