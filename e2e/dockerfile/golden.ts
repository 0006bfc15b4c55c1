import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareImages, compareValues, type ImageConfig } from '../../src/image/index.ts';
import { compareTrees, describeEntry, type Entry, type EntryType, type FileTree } from '../../src/tree/index.ts';
import type { Digest } from '../../src/blob/index.ts';

/**
 * One entry of a layer: type, mode, owner, seconds ("now" when it was made by the build), path; then what a file, link or device has: `bytes sha256`, the target, `major:minor`; then extended attributes, hexadecimal.
 */
export type GoldenEntry = readonly [
  type: EntryType,
  mode: string,
  owner: string,
  time: number | 'now',
  path: string,
  what?: string,
  xattrs?: Readonly<Record<string, string>>,
];

export interface GoldenImage {
  /** How many layers at the bottom, and entries of the history, are the base's. */
  readonly base: { readonly layers: number; readonly history: number };
  /** Every layer above the base, as it stands in the tar. */
  readonly layers: readonly (readonly GoldenEntry[])[];
  /** Without layers and history. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly history: readonly Readonly<Record<string, unknown>>[];
  /** Of the manifest. */
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** What came of a build. */
export interface Golden {
  /** By platform; one that is not an index is by "". */
  readonly images?: Readonly<Record<string, GoldenImage>> | undefined;
  readonly indexAnnotations?: Readonly<Record<string, string>> | undefined;
  readonly warnings?: readonly string[] | undefined;
  readonly error?: { readonly text: string; readonly line?: number | undefined } | undefined;
}

export interface GoldenFile {
  /** What made it. */
  readonly by: Readonly<Record<string, string>>;
  readonly cases: Readonly<Record<string, Golden>>;
}

const FOLDER = join(import.meta.dirname, 'testdata');

export function readGolden(group: string): GoldenFile {
  const path = join(FOLDER, `${group}.json`);
  if (!existsSync(path)) return { by: {}, cases: {} };
  return JSON.parse(readFileSync(path, 'utf8')) as GoldenFile;
}

export function writeGolden(group: string, file: GoldenFile): void {
  const cases = Object.keys(file.cases).sort();
  const lines = cases.map((name) => `${JSON.stringify(name)}: ${layout(file.cases[name])}`);
  writeFileSync(
    join(FOLDER, `${group}.json`),
    `{"by": ${JSON.stringify(file.by)},\n"cases": {\n${lines.join(',\n')}\n}}\n`,
  );
}

/** One line per entry of a layer, of the history, and per member of all else. */
function layout(value: unknown, depth = 1): string {
  const inner = '  '.repeat(depth);
  const isFlat = (one: unknown): boolean =>
    typeof one !== 'object' ||
    one === null ||
    Object.values(one).every((each) => typeof each !== 'object' || each === null);
  if (isFlat(value)) return JSON.stringify(value);
  const parts = Array.isArray(value)
    ? value.map((one) => (isFlat(one) || isEntry(one) ? JSON.stringify(one) : layout(one, depth + 1)))
    : Object.entries(value as object)
        .filter(([, one]) => one !== undefined)
        .map(([key, one]) => `${JSON.stringify(key)}: ${layout(one, depth + 1)}`);
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  return `${open}\n${parts.map((part) => inner + part).join(',\n')}\n${'  '.repeat(depth - 1)}${close}`;
}

function isEntry(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string';
}

/** What differs, in words that `differences.json` may list: `expected` is BuildKit's (or the hand-made expectation). */
export async function differencesOf(expected: Golden, found: Golden): Promise<readonly string[]> {
  const out: string[] = [];
  if ((expected.error === undefined) !== (found.error === undefined))
    return [expected.error ? 'fails there, builds here' : 'builds there, fails here'];
  if (expected.error && found.error && expected.error.line !== undefined && expected.error.line !== found.error.line)
    out.push(`error: line ${expected.error.line}, here ${found.error.line ?? 'none'}`);
  const [theirs, ours] = [new Set(expected.warnings), new Set(found.warnings)];
  for (const text of theirs) if (!ours.has(text)) out.push(`warning only there: ${text}`);
  for (const text of ours) if (!theirs.has(text)) out.push(`warning only here: ${text}`);
  const platforms = new Set([...Object.keys(expected.images ?? {}), ...Object.keys(found.images ?? {})]);
  for (const platform of [...platforms].sort()) {
    const [x, y] = [expected.images?.[platform], found.images?.[platform]];
    const prefix = platform === '' ? '' : `${platform}: `;
    if (!x || !y) out.push(`${prefix}the image is only ${x ? 'there' : 'here'}`);
    else for (const one of await imageDifferences(x, y)) out.push(prefix + one);
  }
  for (const { at } of compareValues(expected.indexAnnotations ?? {}, found.indexAnnotations ?? {}, 'index'))
    out.push(`annotation ${at}`);
  return out;
}

async function imageDifferences(expected: GoldenImage, found: GoldenImage): Promise<readonly string[]> {
  const out: string[] = [];
  const facts = ({ config, history, annotations }: GoldenImage): Parameters<typeof compareImages>[0] => ({
    config: { ...config, history, rootfs: { type: 'layers', diff_ids: [] } } as unknown as ImageConfig,
    manifest: { mediaType: '', layers: [] },
    annotations,
  });
  for (const { part, at } of compareImages(facts(expected), facts(found), {
    parts: new Set(['config', 'history', 'annotations']),
  }))
    out.push(part === 'annotations' ? `annotation ${at}` : at);
  for (const { at, a, b } of compareValues(expected.base, found.base, 'base')) out.push(`${at}: ${a}, here ${b}`);
  if (expected.layers.length !== found.layers.length)
    out.push(`layers: ${expected.layers.length}, here ${found.layers.length}`);
  for (const [at, layer] of expected.layers.entries()) {
    const other = found.layers[at];
    if (!other) break;
    for await (const difference of compareTrees(treeOf(layer), treeOf(other))) {
      const place = `layer ${at + 1}: ${difference.path}: `;
      if (difference.kind === 'changed')
        out.push(...difference.fields.map(({ field, a, b }) => `${place}${field} ${inWords(a)}, here ${inWords(b)}`));
      else
        out.push(`${place}${describeEntry(difference.entry)} only ${difference.kind === 'only-a' ? 'there' : 'here'}`);
    }
  }
  return out;
}

function inWords(text: string): string {
  return text === new Date(NOW * 1000).toISOString().replace('.000Z', 'Z') ? 'now' : text;
}

/** A time that stands for "made by the build": the end of what a date can be. */
const NOW = 8_640_000_000_000;

function treeOf(lines: readonly GoldenEntry[]): FileTree {
  const digests = new Map<Entry, Digest>();
  const entries = lines.map(([type, mode, owner, time, path, what = '', xattrs]): Entry => {
    const [uid, gid] = owner.split(':').map(Number);
    const [bytes = '', digest = ''] = what.split(' ');
    const [major, minor] = bytes.split(':').map(Number);
    const isLink = type === 'symlink' || type === 'hardlink';
    const isDevice = type === 'character' || type === 'block';
    const entry: Entry = {
      path,
      type,
      mode: Number.parseInt(mode, 8),
      uid: uid ?? 0,
      gid: gid ?? 0,
      size: type === 'file' ? Number(bytes) : 0,
      mtime: time === 'now' ? NOW : time,
      mtimeNs: 0,
      link: isLink ? what : undefined,
      device: isDevice ? { major: major ?? 0, minor: minor ?? 0 } : undefined,
      xattrs: xattrs && new Map(Object.entries(xattrs).map(([name, hex]) => [name, Buffer.from(hex, 'hex')])),
    };
    digests.set(entry, `sha256:${digest}`);
    return entry;
  });
  return {
    entries: async () => entries,
    read: () => {
      throw new Error('golden data has no contents');
    },
    digests: async (files) => files.map((file) => digests.get(file) ?? 'sha256:'),
  };
}
