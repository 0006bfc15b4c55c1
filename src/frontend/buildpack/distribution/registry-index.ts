import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { HttpClient, hasErrno, messageOf, redactUrl, type Wait } from '../../../base/index.ts';
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
  /** All buildpacks there are. Absent where that cannot be asked. */
  list?(w?: Wait): Promise<readonly { readonly namespace: string; readonly name: string }[]>;
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
  return `${folder}/${namespace}_${name}`;
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
    const found =
      version === ''
        ? entries
            .filter(({ yanked }) => !yanked)
            .toSorted((a, b) => compareVersions(a.version, b.version))
            .at(-1)
        : entries.findLast((entry) => entry.version === version);
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
  if (!index.list)
    throw buildpackError('CNB_REGISTRY_INVALID', `search registry "${index.name}": its index cannot be listed`, {
      remedy: 'Search in a copy of the index, as a folder.',
    });
  const found: RegistryEntry[] = [];
  for (const { namespace, name } of await index.list(w)) {
    if (!`${namespace}/${name}`.includes(text.toLowerCase())) continue;
    const lines = await index.lines(namespace, name, w);
    const entries = parseEntries(lines ?? '', `${index.name}:${indexPath(namespace, name)}`);
    const newest = entries
      .filter(({ yanked }) => !yanked)
      .toSorted((a, b) => compareVersions(a.version, b.version))
      .at(-1);
    if (newest) found.push(newest);
  }
  return found;
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

/** An index in a folder of this machine, as its repository has it. */
export function folderIndex(
  folder: string,
  name: string,
): RegistryIndex & {
  /** Adds a version. Throws `CNB_REGISTRY_CONFLICT` where it is there already. */
  register(entry: RegistryEntry): void;
  /** Takes a version back, or gives it back. Throws `CNB_REGISTRY_MISSING`. */
  yank(wanted: { readonly namespace: string; readonly name: string; readonly version: string }, yanked: boolean): void;
} {
  const read = (namespace: string, one: string): string | undefined => {
    const path = join(folder, indexPath(namespace, one));
    try {
      return readFileSync(path, 'utf8');
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw buildpackError('CNB_REGISTRY_UNAVAILABLE', `read registry "${name}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  };
  return {
    name,
    lines: async (namespace, one) => {
      if (readFolder(folder) === undefined)
        throw buildpackError('CNB_REGISTRY_UNAVAILABLE', `read registry "${name}": there is no folder "${folder}"`);
      return read(namespace, one);
    },
    list: async () =>
      (readFolder(folder) ?? [])
        .filter((path) => /^[^./][^/]*\/(?:[^/]+\/)?[a-z0-9.-]+_[a-z0-9.-]+$/.test(path))
        .map((path) => {
          const [namespace = '', one = ''] = (path.split('/').at(-1) ?? '').split('_');
          return { namespace, name: one };
        })
        .filter(({ namespace, name: one }) => read(namespace, one) !== undefined)
        .toSorted((a, b) => (`${a.namespace}/${a.name}` < `${b.namespace}/${b.name}` ? -1 : 1)),
    register: (entry) => {
      const path = join(folder, indexPath(entry.namespace, entry.name));
      const text = read(entry.namespace, entry.name) ?? '';
      if (parseEntries(text, path).some(({ version }) => version === entry.version))
        throw buildpackError(
          'CNB_REGISTRY_CONFLICT',
          `register "${entry.namespace}/${entry.name}@${entry.version}": registry "${name}" has this version already`,
          { remedy: 'Give the buildpack a new version.' },
        );
      mkdirSync(dirname(path), { recursive: true });
      appendFileSync(path, encodeEntry(entry));
    },
    yank: (wanted, yanked) => {
      const path = join(folder, indexPath(wanted.namespace, wanted.name));
      const entries = parseEntries(read(wanted.namespace, wanted.name) ?? '', path);
      if (!entries.some(({ version }) => version === wanted.version))
        throw buildpackError(
          'CNB_REGISTRY_MISSING',
          `${yanked ? 'yank' : 'undo yank of'} "${wanted.namespace}/${wanted.name}@${wanted.version}": registry "${name}" does not have it`,
          entries.length === 0 ? {} : { remedy: `There is ${entries.map(({ version }) => version).join(', ')}.` },
        );
      const changed = entries.map((entry) => (entry.version === wanted.version ? { ...entry, yanked } : entry));
      writeFileSync(`${path}.new`, changed.map((entry) => encodeEntry(entry)).join(''));
      renameSync(`${path}.new`, path);
    },
  };
}

/** An index served as plain files: `<url>/ja/va/acme_java`. It is asked for one buildpack at a time. */
export function httpIndex(url: string, o: { name: string; client?: HttpClient | undefined }): RegistryIndex {
  const client = o.client ?? new HttpClient();
  return {
    name: o.name,
    lines: async (namespace, name, w) => {
      const target = new URL(`${url.replace(/\/+$/, '')}/${indexPath(namespace, name)}`);
      const fail = (detail: string, cause?: unknown): Error =>
        buildpackError('CNB_REGISTRY_UNAVAILABLE', `read registry "${o.name}" at "${redactUrl(target)}": ${detail}`, {
          cause,
        });
      try {
        await using answer = await client.request({ method: 'GET', url: target, signal: w?.signal });
        const chunks: Uint8Array[] = [];
        let size = 0;
        if (answer.status === 200)
          for await (const chunk of answer.body) {
            size += chunk.length;
            if (size > 16 << 20) throw fail('its answer is larger than 16 MiB');
            chunks.push(chunk.slice());
          }
        if (answer.status === 404) return undefined;
        if (answer.status !== 200) throw fail(`it answered with status ${answer.status}`);
        return Buffer.concat(chunks).toString();
      } catch (error) {
        if (w?.signal?.aborted) throw error;
        throw error instanceof Error && 'kind' in error && 'code' in error ? error : fail(messageOf(error), error);
      }
    },
  };
}

function readFolder(folder: string): readonly string[] | undefined {
  try {
    return readdirSync(folder, { recursive: true, encoding: 'utf8' });
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}
