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

const root = join(import.meta.dirname, '..');
const args = process.argv.slice(2);
const full = args.includes('--full');
const only = args.filter((arg) => !arg.startsWith('--'));
const unitOnly = args.includes('--unit');
const scratch = mkdtempSync(join(tmpdir(), 'strake-test-'));
const totals = { pass: 0, fail: 0, skipped: 0 };
const failures: string[] = [];

process.chdir(root);
const missing = unitOnly ? [] : installPackages({ full });
try {
  if (only.length === 0 && (await run('check', 'node', ['scripts/check.ts'])) !== 0) fail('types, lint and format');
  await Promise.all([unit(1), unit(2)]);
  if (!unitOnly && (await run('build', 'node', ['scripts/build.ts'])) !== 0) fail('bundle');
  if (!unitOnly) await endToEnd();
  if (full && only.length === 0 && (await run('bench', 'node', ['bench/main.ts'])) !== 0) fail('bench');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
for (const line of failures) console.log(`failed: ${line}`);
if (missing.length > 0) console.log(`not run for want of Debian packages: tests that need ${missing.join(', ')}`);
console.log(`\n${totals.pass} passed, ${totals.fail} failed, ${totals.skipped} skipped`);
process.exit(totals.fail === 0 ? 0 : 1);

async function unit(shard: number): Promise<void> {
  const files = await matching('src/**/*.test.ts', 'native/**/*.test.ts');
  if (files.length < shard) return;
  const shards = files.length > 1 ? [`--test-shard=${shard}/2`] : [];
  await tests(`unit ${shard}/2`, ['--test-isolation=none', ...shards, ...files]);
}

async function endToEnd(): Promise<void> {
  const files = await matching('e2e/**/*.test.ts');
  if (files.length > 0)
    await tests('e2e', ['--test-concurrency=2', `--test-timeout=${full ? 3_600_000 : 600_000}`, ...files]);
}

async function matching(...patterns: string[]): Promise<string[]> {
  const files: string[] = [];
  for (const pattern of patterns)
    for await (const file of glob(pattern, { exclude: ['**/node_modules/**'] })) files.push(file);
  return files.filter((file) => only.length === 0 || only.some((part) => file.includes(part))).sort();
}

async function tests(name: string, nodeArgs: readonly string[]): Promise<void> {
  const report = join(scratch, `${name.replaceAll(/\W/g, '-')}.tap`);
  const reporters = [
    '--test-reporter=dot',
    '--test-reporter-destination=stdout',
    '--test-reporter=tap',
    `--test-reporter-destination=${report}`,
  ];
  const started = Date.now();
  const code = await run(name, 'node', ['--disable-warning=ExperimentalWarning', '--test', ...reporters, ...nodeArgs]);
  const tap = readFileSync(report, 'utf8');
  const count = (key: string): number => Number(new RegExp(`^# ${key} (\\d+)$`, 'm').exec(tap)?.[1] ?? 0);
  totals.pass += count('pass');
  totals.fail += count('fail') + count('cancelled');
  totals.skipped += count('skipped');
  for (const match of tap.matchAll(/^\s*ok \d+ - (.*?) # SKIP ?(.*)$/gm))
    console.log(`skipped: ${match[1]}: ${match[2]}`);
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(
    `${name}: ${count('pass')} passed, ${count('fail') + count('cancelled')} failed, ${count('skipped')} skipped, ${seconds} s`,
  );
  if (code !== 0 && count('fail') + count('cancelled') === 0) fail(`${name}: the runner ended with ${code}`);
}

function fail(what: string): void {
  failures.push(what);
  totals.fail += 1;
}

function run(name: string, command: string, commandArgs: readonly string[]): Promise<number> {
  console.log(`— ${name}`);
  const env = {
    ...process.env,
    STRAKE_TEST_FULL: full ? '1' : '',
    STRAKE_TEST_SHARED: join(scratch, 'shared'),
    NODE_COMPILE_CACHE: join(root, 'node_modules/.cache/compile'),
  };
  const child = spawn(command, commandArgs, { stdio: ['ignore', 'inherit', 'inherit'], env });
  return new Promise((resolve) => child.on('close', (code) => resolve(code ?? 1)));
}
