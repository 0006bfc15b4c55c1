/** Types, lint, format: everything that is checked without running the code. */
import { spawnSync } from 'node:child_process';

const CHECKS: readonly (readonly string[])[] = [['tsc'], ['oxlint', '--type-aware', '--quiet'], ['oxfmt', '--check']];

let failed = 0;
for (const [command = '', ...args] of CHECKS) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) failed += 1;
}
process.exit(failed === 0 ? 0 : 1);
