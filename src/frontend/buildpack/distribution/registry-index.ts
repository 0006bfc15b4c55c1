import { mapBounded, type Wait } from '../../../base/index.ts';
import { parseReference } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';

/** One version of a buildpack as an index has it (buildpack-registry.md, Index Repository). */
export interface RegistryEntry {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly yanked: boolean;
  /** An image by its digest. */
  readonly address: string;
}

export interface RegistryAddress extends RegistryEntry {
  /** Of the registry that knew it. */
  readonly registry: string;
}

/** The index of a buildpack registry. */
export interface RegistryIndex {
  readonly name: string;
  /** The file of a buildpack as it is; undefined where it has none. Throws `CNB_REGISTRY_UNAVAILABLE`. */
  lines(namespace: string, name: string, w?: Wait): Promise<string | undefined>;
  /** All buildpacks there are, by name; `text` is the file of one where it came along. Undefined, or absent, where that cannot be asked. */
  list?(w?: Wait): Promise<readonly ListedBuildpack[] | undefined>;
}

export interface ListedBuildpack {
  readonly namespace: string;
  readonly name: string;
  readonly text?: string | undefined;
}

/** Where the file of a buildpack lies in an index: `ja/va/acme_java`. Throws `CNB_REGISTRY_INVALID` for names that an index cannot have. */
export function indexPath(namespace: string, name: string): string {
  for (const [what, text] of [
    ['namespace', namespace],
    ['name', name],
  ] as const)
    if (!/^[a-z0-9.-]{1,253}$/.test(text))
      throw buildpackError(
        'CNB_REGISTRY_INVALID',
        `find "${namespace}/${name}" in a registry: the ${what} "${text}" may not be`,
        { remedy: 'Use lower case letters, digits, "-" and ".", 253 at most.' },
      );
  const folder =
    name.length < 3
      ? `${name.length}`
      : name.length === 3
        ? `3/${name.slice(0, 2)}`
        : `${name.slice(0, 2)}/${name.slice(2, 4)}`;
  // A name as "..ab" would lead out of the index.
  if (folder.split('/').includes('..'))
    throw buildpackError(
      'CNB_REGISTRY_INVALID',
      `find "${namespace}/${name}" in a registry: the name "${name}" may not be`,
      { remedy: 'Use one without ".." at its beginning.' },
    );
  return `${folder}/${namespace}_${name}`;
}

/** The buildpack whose file lies at a path of an index; undefined for a path where none can be. */
export function buildpackAtPath(path: string): { readonly namespace: string; readonly name: string } | undefined {
  const [, namespace, name] =
    /^(?:[123]|3\/[^/]{2}|[^/]{2}\/[^/]{2})\/([a-z0-9.-]{1,253})_([a-z0-9.-]{1,253})$/.exec(path) ?? [];
  if (namespace === undefined || name === undefined) return undefined;
  try {
    return indexPath(namespace, name) === path ? { namespace, name } : undefined;
  } catch {
    return undefined;
  }
}

/** The entries of an index's file, in its order. Throws `CNB_REGISTRY_INVALID` with the line. */
export function parseEntries(text: string, file: string): readonly RegistryEntry[] {
  return text.split('\n').flatMap((line, at) => {
    if (line.trim() === '') return [];
    try {
      const { ns, name, version, yanked, addr } = JSON.parse(line) as Record<string, unknown>;
      if ([ns, name, version, addr].every((one) => typeof one === 'string'))
        return [{ namespace: ns, name, version, yanked: yanked === true, address: addr } as RegistryEntry];
    } catch {
      // Said below.
    }
    throw buildpackError('CNB_REGISTRY_INVALID', `read registry entry "${file}": line ${at + 1} is none`, {
      place: { file, line: at + 1, text: line },
    });
  });
}

export function encodeEntry({ namespace, name, version, yanked, address }: RegistryEntry): string {
  return `${JSON.stringify({ ns: namespace, name, version, yanked, addr: address })}\n`;
}

/**
 * The version of a buildpack that is asked for, else the newest that is not yanked, of the first registry that has it. A version that is yanked is still given to who asks for it. Throws `CNB_REGISTRY_MISSING`.
 */
export async function resolveRegistered(
  wanted: { readonly namespace: string; readonly name: string; readonly version: string },
  indexes: readonly RegistryIndex[],
  w: Wait = {},
): Promise<RegistryAddress> {
  const { namespace, name, version } = wanted;
  const title = `${namespace}/${name}${version === '' ? '' : `@${version}`}`;
  const there: string[] = [];
  for (const index of indexes) {
    const text = await index.lines(namespace, name, w);
    if (text === undefined) continue;
    const entries = parseEntries(text, `${index.name}:${indexPath(namespace, name)}`);
    const found = version === '' ? newestOf(entries) : entries.findLast((entry) => entry.version === version);
    if (found) {
      if (parseReference(found.address).digest === undefined)
        throw buildpackError(
          'CNB_REGISTRY_INVALID',
          `find "${title}" in registry "${index.name}": its address "${found.address}" has no digest`,
        );
      return { ...found, registry: index.name };
    }
    there.push(...entries.map((entry) => (entry.yanked ? `${entry.version} (yanked)` : entry.version)));
  }
  const names = indexes.map((index) => `"${index.name}"`).join(', ');
  throw buildpackError(
    'CNB_REGISTRY_MISSING',
    indexes.length === 0
      ? `find buildpack "${title}" in a registry: none is configured`
      : `find buildpack "${title}" in registry ${names}: it is not there`,
    {
      remedy:
        indexes.length === 0
          ? 'Add one with "strake config registries add NAME URL".'
          : there.length === 0
            ? undefined
            : `There is ${there.join(', ')}.`,
    },
  );
}

/** The buildpacks whose namespace or name holds `text`, with their newest version, by name. */
export async function searchRegistry(
  index: RegistryIndex,
  text: string,
  w: Wait = {},
): Promise<readonly RegistryEntry[]> {
  const all = await index.list?.(w);
  if (!all)
    throw buildpackError('CNB_REGISTRY_INVALID', `search registry "${index.name}": its index cannot be listed`, {
      remedy: 'Search in a copy of the index, as a folder, or have it served by "strake buildpack registry serve".',
    });
  const fitting = all.filter(({ namespace, name }) => `${namespace}/${name}`.includes(text.toLowerCase()));
  const found = await mapBounded(fitting, 8, async ({ namespace, name, text: known }) => {
    const lines = known ?? (await index.lines(namespace, name, w)) ?? '';
    return newestOf(parseEntries(lines, `${index.name}:${indexPath(namespace, name)}`));
  });
  return found.filter((one) => one !== undefined);
}

/** The newest version that is not yanked. */
export function newestOf<T extends RegistryEntry>(entries: readonly T[]): T | undefined {
  return entries
    .filter(({ yanked }) => !yanked)
    .toSorted((a, b) => compareVersions(a.version, b.version))
    .at(-1);
}

/** Semantic versions by their precedence (semver.org, 11); what is none comes first. */
export function compareVersions(a: string, b: string): number {
  const parts = (text: string): { main: number[]; pre: string[] } | undefined => {
    const match = /^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$/.exec(text);
    return match === null
      ? undefined
      : { main: [1, 2, 3].map((at) => Number(match[at])), pre: match[4]?.split('.') ?? [] };
  };
  const [x, y] = [parts(a), parts(b)];
  if (!x || !y) return x ? 1 : y ? -1 : a < b ? -1 : a > b ? 1 : 0;
  for (const [at, number] of x.main.entries()) if (number !== y.main[at]) return number - (y.main[at] ?? 0);
  if (x.pre.length === 0 || y.pre.length === 0) return y.pre.length - x.pre.length;
  for (const [at, word] of x.pre.entries()) {
    const other = y.pre[at];
    if (other === undefined) return 1;
    const [isNumber, otherIsNumber] = [/^\d+$/.test(word), /^\d+$/.test(other)];
    if (word === other) continue;
    if (isNumber && otherIsNumber) return Number(word) - Number(other);
    if (isNumber !== otherIsNumber) return isNumber ? -1 : 1;
    return word < other ? -1 : 1;
  }
  return x.pre.length - y.pre.length;
}
