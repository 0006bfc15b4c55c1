import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Differences from BuildKit that are meant, or not mended yet. docs/docker-compatibility.md gives the reason of each `id`. */
export interface Listed {
  readonly id: string;
  /** By the name of a case: exactly what `differencesOf` says. */
  readonly cases: Readonly<Record<string, readonly string[]>>;
}

export function readListed(): { readonly entries: readonly Listed[]; of(name: string): readonly string[] } {
  const entries = JSON.parse(
    readFileSync(join(import.meta.dirname, 'testdata/differences.json'), 'utf8'),
  ) as readonly Listed[];
  return { entries, of: (name) => entries.flatMap(({ cases }) => cases[name] ?? []) };
}
