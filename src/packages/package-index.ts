import { closeSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  fileBytes,
  findTool,
  hasErrno,
  redactUrl,
  tempFolder,
  type Bytes,
  type Clock,
  type Random,
  type Wait,
} from '../base/index.ts';
import { Digester } from '../blob/index.ts';
import { compressionOf, decompressed } from './decompress.ts';
import { splitParagraphs } from './deb822.ts';
import { packagesError } from './errors.ts';
import { keepNewest, markUsed } from './keep-newest.ts';
import { fetchFrom, type MirrorAccess } from './mirror.ts';
import type { Release, ReleaseFile } from './release.ts';

/** A package as an index describes it. Relationship fields are as written. */
export interface PackageRecord {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly essential: boolean;
  readonly priority: string;
  readonly multiArch: string;
  readonly provides: string;
  readonly preDepends: string;
  readonly depends: string;
  readonly conflicts: string;
  readonly breaks: string;
  /** Path of the .deb below the archive's root. */
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** `name` or `name (version)` of the source package, when it differs. */
  readonly source: string;
}

/** The packages of one index. Records are read when they are asked for. */
export interface PackageIndex {
  readonly count: number;
  /** All versions of a name. */
  named(name: string): readonly PackageRecord[];
  /** The records that may provide a name: whether they do is in their `provides`. */
  providing(name: string): readonly PackageRecord[];
  /** The names of packages that are essential, or of priority required. */
  readonly required: readonly string[];
}

/** What the compact form holds, one line for each package, columns parted by tabs. Changes with `FORMAT`. */
const COLUMNS: readonly string[] = [
  'Package',
  'Essential',
  'Priority',
  'Provides',
  'Version',
  'Architecture',
  'Multi-Arch',
  'Pre-Depends',
  'Depends',
  'Conflicts',
  'Breaks',
  'Filename',
  'Size',
  'SHA256',
  'Source',
];
const COLUMN_OF = new Map(COLUMNS.map((name, index) => [name.toLowerCase(), index]));
const FORMAT = 1;
/** Indexes that stay in the cache folder: some suites with their side suites. */
const KEPT = 24;

/**
 * The index of a component for an architecture, from the cache folder or from the mirror, verified by the Release file. It is kept in a compact form under the digest of what was fetched.
 * Throws `ARCHITECTURE_UNKNOWN`, `COMPONENT_UNKNOWN`, `INDEX_MISMATCH`, `INDEX_INVALID`.
 */
export async function openPackageIndex(
  release: Release,
  o: {
    component: string;
    architecture: string;
    cache: string;
    scratch: string;
    random: Random;
    clock: Clock;
    onBytes?: ((count: number) => void) | undefined;
  } & MirrorAccess &
    Wait,
): Promise<PackageIndex> {
  const file = chooseFile(release, o);
  const path = join(o.cache, `${file.sha256}.${FORMAT}.index`);
  const kept = readKept(path);
  const known = kept && parseCompact(kept);
  if (known) {
    markUsed(path, o.clock.now());
    return known;
  }
  using folder = tempFolder(o.scratch, o.random);
  const fetched = join(folder.path, 'packages');
  await download(release, file, { ...o, to: fetched });
  const compact = join(folder.path, 'compact');
  await writeCompact(compact, fileBytes(fetched, o), { ...o, file });
  mkdirSync(dirname(path), { recursive: true });
  renameSync(compact, path);
  markUsed(path, o.clock.now());
  keepNewest(dirname(path), KEPT);
  return opened(readFileSync(path));
}

function chooseFile(release: Release, o: { component: string; architecture: string }): ReleaseFile {
  const what = `suite "${release.source.suite}"`;
  if (release.architectures.length > 0 && !release.architectures.includes(o.architecture))
    throw packagesError(
      'ARCHITECTURE_UNKNOWN',
      `find architecture "${o.architecture}" in ${what}: it has ${release.architectures.join(', ')}`,
    );
  const component = componentOf(release, o.component);
  const stem = `${component}/binary-${o.architecture}/Packages`;
  const endings = findTool('xz') === undefined ? ['.gz', ''] : ['.xz', '.gz', ''];
  const file = endings.map((ending) => release.files.get(stem + ending)).find((found) => found !== undefined);
  if (!file)
    throw packagesError(
      'COMPONENT_UNKNOWN',
      `find component "${o.component}" in ${what}: it has ${release.components.join(', ')}`,
    );
  return file;
}

/** The security archive calls its components `updates/main` and serves them as `main`. */
function componentOf(release: Release, component: string): string {
  const names = release.components.map((name) => name.replace(/^updates\//, ''));
  if (release.components.length > 0 && !names.includes(component))
    throw packagesError(
      'COMPONENT_UNKNOWN',
      `find component "${component}" in suite "${release.source.suite}": it has ${names.join(', ')}`,
    );
  return component;
}

async function download(
  release: Release,
  file: ReleaseFile,
  o: { to: string; onBytes?: ((count: number) => void) | undefined } & MirrorAccess & Wait,
): Promise<void> {
  const folder = `${release.uri}/dists/${release.source.suite}`;
  const plain = `${folder}/${file.path}`;
  const byHash = `${folder}/${dirname(file.path)}/by-hash/SHA256/${file.sha256}`;
  const content = (release.byHash ? await fetchFrom(byHash, o) : undefined) ?? (await fetchFrom(plain, o));
  if (!content) throw mismatch(plain, 'the mirror does not have it');
  const digester = new Digester();
  const fd = openSync(o.to, 'wx');
  try {
    for await (const chunk of content) {
      digester.update(chunk);
      o.onBytes?.(chunk.length);
      if (digester.size > file.size)
        throw mismatch(plain, `it is longer than the ${file.size} bytes that the Release file names`);
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
    }
  } finally {
    closeSync(fd);
  }
  const { size } = digester;
  const digest = digester.digest();
  if (size !== file.size || digest !== `sha256:${file.sha256}`)
    throw mismatch(
      plain,
      `it is ${digest}, ${size} bytes; the Release file names sha256:${file.sha256}, ${file.size} bytes`,
    );
}

function mismatch(url: string, detail: string): Error {
  return packagesError('INDEX_MISMATCH', `fetch "${redactUrl(url)}": ${detail}`, {
    remedy: 'The mirror is being updated or is broken: try again in some minutes, or name another with --mirror URL.',
  });
}

async function writeCompact(path: string, content: Bytes, o: { file: ReleaseFile } & Wait): Promise<void> {
  const compression = compressionOf(o.file.path) ?? '';
  const lines: string[] = [];
  const plain = decompressed(content, { compression, what: `"${o.file.path}"`, signal: o.signal });
  for await (const paragraphs of splitParagraphs(plain))
    for (const paragraph of paragraphs) lines.push(compactLine(paragraph));
  writeFileSync(path, compactOf(lines));
}

/**
 * The compact form: the records sorted by name, then `provided name, offset of the record` sorted, then the names of required packages, then a line that says where each part ends. So nothing
 * has to be read through to find a name.
 */
function compactOf(lines: string[]): Buffer {
  const records = lines.map((line) => ({ line, name: firstColumn(line) })).sort((a, b) => order(a.name, b.name));
  const required = new Set<string>();
  const provided: { name: string; offset: number }[] = [];
  let offset = 0;
  for (const { line, name } of records) {
    const [, essential, priority, provides = ''] = line.split('\t', 4);
    if (essential === 'yes' || priority === 'required') required.add(name);
    for (const part of provides === '' ? [] : provides.split(',')) {
      const other = /^\s*([^\s:(]+)/.exec(part)?.[1];
      if (other !== undefined) provided.push({ name: other, offset });
    }
    offset += line.length;
  }
  provided.sort((a, b) => order(a.name, b.name) || a.offset - b.offset);
  const second = provided.map(({ name, offset }) => `${name}\t${offset}\n`).join('');
  const footer = `${END}${records.length} ${offset} ${offset + second.length}\n`;
  return Buffer.from(
    `${records.map(({ line }) => line).join('')}${second}${[...required].join('\t')}${footer}`,
    'latin1',
  );
}

const END = '\n\tend ';

function firstColumn(line: string): string {
  return line.slice(0, line.indexOf('\t'));
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Continuation lines are joined; of the fields kept none has any in practice. */
function compactLine(paragraph: Buffer): string {
  const text = paragraph.toString('latin1', 0, paragraph.length);
  const values: string[] = EMPTY_ROW.slice();
  let column: number | undefined;
  for (let at = 0; at < text.length;) {
    let end = text.indexOf('\n', at);
    if (end < 0) end = text.length;
    const first = text.charCodeAt(at);
    if (first === 0x20 || first === 0x09) {
      if (column !== undefined) values[column] += ` ${text.slice(at, end).trim()}`;
    } else {
      const colon = text.indexOf(':', at);
      column = colon > at && colon < end ? columnOf(text.slice(at, colon)) : undefined;
      if (column !== undefined) values[column] = text.slice(colon + 1, end).trim();
    }
    at = end + 1;
  }
  return `${values.join('\t')}\n`;
}

const EMPTY_ROW: readonly string[] = COLUMNS.map(() => '');
const EXACT = new Map(COLUMNS.map((name, index) => [name, index]));
const SEEN = new Map<string, number | undefined>();

/** Field names are case-insensitive; the few hundred spellings in use are remembered. */
function columnOf(name: string): number | undefined {
  const exact = EXACT.get(name);
  if (exact !== undefined || SEEN.has(name)) return exact ?? SEEN.get(name);
  const column = COLUMN_OF.get(name.toLowerCase());
  if (SEEN.size < 1000) SEEN.set(name, column);
  return column;
}

function readKept(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    return undefined;
  }
}

/** Opens the compact form; undefined when it is not whole. */
function parseCompact(content: Buffer): PackageIndex | undefined {
  const footer = content.lastIndexOf(END);
  const [, count, recordsEnd, providedEnd] =
    /^(\d+) (\d+) (\d+)\n$/.exec(content.toString('latin1', Math.max(0, footer) + END.length)) ?? [];
  if (footer < 0 || count === undefined) return undefined;
  const records = { content, start: 0, end: Number(recordsEnd) };
  const provided = { content, start: Number(recordsEnd), end: Number(providedEnd) };
  return {
    count: Number(count),
    named: (name) => linesOf(records, name).map((line) => parseRecord(line)),
    providing: (name) =>
      linesOf(provided, name).map((line) => {
        const offset = Number(line.slice(line.indexOf('\t') + 1));
        return parseRecord(content.toString('latin1', offset, content.indexOf(0x0a, offset)));
      }),
    required: content
      .toString('latin1', Number(providedEnd), footer)
      .split('\t')
      .filter((name) => name !== ''),
  };
}

/** The lines of a sorted part whose first column is `name`, by bisection. */
function linesOf(part: { content: Buffer; start: number; end: number }, name: string): string[] {
  const { content } = part;
  let low = part.start;
  let high = part.end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const start = middle === part.start ? middle : Math.max(part.start, content.lastIndexOf(0x0a, middle - 1) + 1);
    if (order(content.toString('latin1', start, content.indexOf(0x09, start)), name) < 0)
      low = content.indexOf(0x0a, start) + 1;
    else high = start;
  }
  const lines: string[] = [];
  while (low < part.end) {
    const end = content.indexOf(0x0a, low);
    const line = content.toString('latin1', low, end);
    if (firstColumn(line) !== name) break;
    lines.push(line);
    low = end + 1;
  }
  return lines;
}

/** An index from the text of a Packages file. */
export function parsePackages(text: string): PackageIndex {
  const paragraphs = text.split(/\n\n+/).filter((part) => part.trim() !== '');
  return opened(compactOf(paragraphs.map((part) => compactLine(Buffer.from(part)))));
}

function opened(content: Buffer): PackageIndex {
  const index = parseCompact(content);
  if (!index) throw packagesError('INDEX_INVALID', 'open a package index: its end is missing');
  return index;
}

function parseRecord(line: string): PackageRecord {
  const column = line.split('\t');
  const of = (name: string): string => column[EXACT.get(name) ?? -1] ?? '';
  const record: PackageRecord = {
    name: of('Package'),
    version: of('Version'),
    architecture: of('Architecture'),
    essential: of('Essential') === 'yes',
    priority: of('Priority'),
    multiArch: of('Multi-Arch'),
    provides: of('Provides'),
    preDepends: of('Pre-Depends'),
    depends: of('Depends'),
    conflicts: of('Conflicts'),
    breaks: of('Breaks'),
    path: of('Filename'),
    size: Number(of('Size')),
    sha256: of('SHA256'),
    source: of('Source'),
  };
  if (
    !/^[0-9a-f]{64}$/.test(record.sha256) ||
    !Number.isSafeInteger(record.size) ||
    record.path.split('/').includes('..')
  )
    throw packagesError(
      'INDEX_INVALID',
      `read the index entry of package "${record.name}": it has no usable Filename, Size or SHA256`,
    );
  return record;
}
