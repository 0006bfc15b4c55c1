/** Writes what of docs/ follows from the sources: cli.md from the tree of commands, errors.md from every room's table of errors, the tables of flags in from-kaniko.md and from-pack.md. With `--check` it only says what is out of date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { cliMarkdown } from '../src/doors/cli/docs.ts';
import { errorsMarkdown, type ErrorTables } from '../src/doors/cli/error-docs.ts';
import { withFlagTables } from '../src/doors/executor/flag-docs.ts';
import { withPackTables } from '../src/doors/pack/flag-docs.ts';

const root = join(import.meta.dirname, '..');

export async function generatedDocs(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['docs/cli.md', await cliMarkdown()],
    ['docs/errors.md', errorsMarkdown(await errorTables())],
    ['docs/from-kaniko.md', withFlagTables(readFileSync(join(root, 'docs/from-kaniko.md'), 'utf8'))],
    ['docs/from-pack.md', withPackTables(readFileSync(join(root, 'docs/from-pack.md'), 'utf8'))],
  ]);
}

/** Every table that a room exports: a function with the table on it, made by `errorTable`. */
async function errorTables(): Promise<ErrorTables> {
  const tables = new Map<string, Readonly<Record<string, string>>>();
  const files: string[] = [];
  for await (const file of glob('src/**/*.ts', {
    cwd: root,
    exclude: ['**/*.test.ts', '**/*.suite.ts', '**/testdata/**', '**/testing/**'],
  }))
    files.push(file);
  for (const file of files.sort()) {
    if (!/^export const \w+ = errorTable\(/m.test(readFileSync(join(root, file), 'utf8'))) continue;
    const room = file.replace(/^src\//, '').replace(/\/[^/]*$/, '');
    for (const value of Object.values(
      (await import(pathToFileURL(join(root, file)).href)) as Record<string, unknown>,
    )) {
      const table =
        typeof value === 'function' && 'table' in value ? (value.table as Readonly<Record<string, string>>) : undefined;
      if (table) tables.set(room, { ...tables.get(room), ...table });
    }
  }
  return tables;
}

if (import.meta.main) {
  const stale: string[] = [];
  for (const [path, text] of await generatedDocs()) {
    let before = '';
    try {
      before = readFileSync(join(root, path), 'utf8');
    } catch {
      // It is not there yet.
    }
    if (before === text) continue;
    stale.push(path);
    if (!process.argv.includes('--check')) writeFileSync(join(root, path), text);
  }
  if (process.argv.includes('--check') && stale.length > 0) {
    console.error(`out of date: ${stale.join(', ')}; run node scripts/docs.ts`);
    process.exitCode = 1;
  } else for (const path of stale) console.log(`wrote ${path}`);
}
