import type { Catalog, CatalogBuildpack } from './catalog.ts';
import type { DetailsCache } from './details.ts';

/** What is searched for, at most. */
export const LONGEST_QUERY = 200;

/** The words of a search. */
export function wordsOf(text: string): readonly string[] {
  return text
    .slice(0, LONGEST_QUERY)
    .toLowerCase()
    .split(/[\s/]+/)
    .filter((word) => word !== '');
}

/** The buildpacks that have each word in their name or in what is known of them, the best first. */
export function searchCatalog(
  o: { readonly catalog: Catalog; readonly details: DetailsCache },
  wanted: { readonly text: string; readonly registry?: string | undefined },
): readonly CatalogBuildpack[] {
  const words = wordsOf(wanted.text);
  const exact = wanted.text.trim().toLowerCase();
  return o.catalog.all
    .filter(
      ({ versions }) => wanted.registry === undefined || versions.some(({ registry }) => registry === wanted.registry),
    )
    .flatMap((one) => {
      const rank = rankOf(one, { words, exact, said: saidOf(one, o.details) });
      return rank === undefined ? [] : [{ one, rank }];
    })
    .toSorted((a, b) => b.rank - a.rank)
    .map(({ one }) => one);
}

/** What its image says of a buildpack, as far as it has been read. */
function saidOf({ newest }: CatalogBuildpack, details: DetailsCache): string {
  const state = newest && details.peek(newest.address);
  if (state?.kind !== 'known') return '';
  const { title, description, keywords } = state.details;
  return [title, description, ...keywords].join(' ').toLowerCase();
}

/** Larger is better; undefined for what does not fit. The sort is stable, so the rest goes by id. */
function rankOf(
  { id, name, newest }: CatalogBuildpack,
  o: { words: readonly string[]; exact: string; said: string },
): number | undefined {
  let rank = newest ? 0 : -10;
  for (const word of o.words) {
    if (name === word) rank += 4;
    else if (name.startsWith(word)) rank += 3;
    else if (id.includes(word)) rank += 2;
    else if (!o.said.includes(word)) return undefined;
  }
  return id === o.exact ? rank + 10 : rank;
}
