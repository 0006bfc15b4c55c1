/** Types, lint, format: everything that is checked without running the code. Packages that were added since the last installation are installed first. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');
const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Readonly<
  Record<'dependencies' | 'devDependencies', Readonly<Record<string, string>>>
>;
const missing = Object.keys({ ...dependencies, ...devDependencies }).filter(
  (name) => !existsSync(join(root, 'node_modules', name)),
);
if (missing.length > 0) {
  console.error(`installing what package.json names and is not there: ${missing.join(', ')} (npm ci)`);
  const { status } = spawnSync('npm', ['ci', '--loglevel=error', '--no-audit', '--no-fund', '--ignore-scripts'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) process.exit(1);
}

const CHECKS: readonly (readonly string[])[] = [['tsc'], ['oxlint', '--type-aware', '--quiet'], ['oxfmt', '--check']];

let failed = 0;
for (const [command = '', ...args] of CHECKS) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);
