import { execEnvProblem } from './ids.ts';
import type { TomlTable } from './toml-table.ts';

/** `exec-env`, in both shapes: a list of names, and tables with a `name`. */
export function readExecEnv(table: TomlTable): readonly string[] {
  const raw = table.raw('exec-env');
  const tables = Array.isArray(raw) && raw.length > 0 && raw.every((item) => typeof item === 'object' && item !== null);
  const names = tables ? table.tables('exec-env').map((item) => item.need('name')) : table.list('exec-env');
  for (const name of names) {
    const problem = name === '*' ? undefined : execEnvProblem(name);
    if (problem !== undefined) throw table.fail('exec-env', `holds "${name}": ${problem}`);
  }
  return names;
}
