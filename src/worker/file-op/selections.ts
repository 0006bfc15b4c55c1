import type { CopyAction, PickAction } from '../../graph/index.ts';
import { cleanPath, hasWildcards, type Selection } from '../../tree/index.ts';

/** One source of a copy: a path of the input, and which of what is below it is meant. */
export interface CopySource {
  /** From the root, without "/" in front. */
  readonly path: string;
  readonly include?: readonly string[] | undefined;
  /** Relative to `path`: must be there. */
  readonly required?: readonly string[] | undefined;
}

/** The sources of a copy. With `parents`, what comes after the pivot "/./" (all of it, without one) is a pattern about what is below what comes before. */
export function sourcesOf(action: CopyAction): CopySource[] {
  return action.sources.map((source) => {
    if (!action.parents) return { path: clean(source), include: action.include, required: action.required };
    const pivot = source.indexOf('/./');
    const folder = pivot < 0 ? '' : clean(source.slice(0, pivot));
    const pattern = clean(pivot < 0 ? source : source.slice(pivot + 3));
    if (pattern === '') return { path: folder };
    const required = hasWildcards(folder) || hasWildcards(pattern) ? undefined : [pattern];
    return { path: folder, include: [pattern], required };
  });
}

/** What a copy reads of its input, for `contentDigest`; undefined for one whose files the plan holds. */
export function copySelections(action: CopyAction): readonly Selection[] {
  const { wildcard, exclude } = action;
  return sourcesOf(action).map(({ path, include, required }) => ({
    paths: [`/${path}`],
    wildcard: wildcard && hasWildcards(path),
    include,
    exclude,
    required,
    follow: action.followSource !== false,
  }));
}

/** What a pick reads of its input, for `contentDigest`. */
export function pickSelections({ trees, entries, except = [] }: PickAction): readonly Selection[] {
  const exact = (text: string): string => text.replaceAll(/[\\*?[\]!]/g, (sign) => `\\${sign}`);
  return [
    ...entries.map((path) => ({ paths: [`/${clean(path)}`], exclude: ['**'] })),
    ...trees.map((path) => {
      const at = `/${clean(path)}`;
      const inside = except
        .map((other) => `/${clean(other)}`)
        .filter((other) => other.startsWith(at === '/' ? at : `${at}/`));
      const exclude = inside.map((other) => exact(other.slice(at === '/' ? 1 : at.length + 1)));
      return { paths: [at], exclude: exclude.length > 0 ? exclude : undefined };
    }),
  ];
}

function clean(path: string): string {
  return cleanPath(`/${path}`).slice(1);
}
