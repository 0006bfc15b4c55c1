import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Seen } from './world.ts';

/** What is the same on both sides, taken from what was said and written. */

const all = ({ stdout, stderr, plain }: Seen): string => plain(`${stdout}${stderr}`);

/** Texts without what is another each time: digests, ids, times, sizes. */
export const steady = (text: string): string =>
  text
    .replaceAll(/sha256:[0-9a-f]{64}/g, 'sha256:…')
    .replaceAll(/\b[0-9a-z]{25}\b/g, 'ID')
    .replaceAll(/\b\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\b\d+(?:\.\d+)?(?:B|kB|KiB|MB|MiB|GB|ms|s)\b/g, 'N');

/** The words on standard output, to the letter. */
export const stdout = ({ stdout: text, plain }: Seen): string => steady(plain(text));

/** The same where docker 28 writes its own media types for what has no attestations, and strake OCI's. */
export const withoutTypes = (seen: Seen): string => stdout(seen).replaceAll(/MediaType: .*/g, 'MediaType: …');

/** The excerpt of the file: how a failure is told. */
export function excerpt(seen: Seen): readonly string[] {
  const lines = all(seen).trimEnd().split('\n');
  const end = lines.findLastIndex((line) => /^-{20}$/.test(line));
  const begin = lines.findLastIndex((line, at) => at < end && /^-{20}$/.test(line));
  return begin < 0 ? [] : lines.slice(begin - 1, end + 1).map((line) => steady(line));
}

/** What the program ends with. */
export const lastWords = (seen: Seen): string => {
  const text = all(seen);
  const at = text.lastIndexOf('\nERROR: ');
  return text.slice(at < 0 ? 0 : at + 1).trimEnd();
};

/** Names of the steps, and which of them were known. */
export function steps(seen: Seen): readonly string[] {
  const names = new Map<string, string>();
  const known = new Set<string>();
  for (const [, id = '', text = ''] of all(seen).matchAll(/^#(\d+) (.*)$/gm)) {
    if (!names.has(id)) names.set(id, text);
    if (text === 'CACHED') known.add(id);
  }
  return (
    [...names]
      // What is told of bases, contexts and transfers hangs on what is there already; laying a linked copy over is a step of its own here, and scanning one there.
      .filter(([, name]) => /^\[(?!(?:[^\]]* )?internal\]|auth\]|context )/.test(name))
      .filter(([, name]) => !/^\[[^\]]*\] (?:FROM|LINK|generating sbom) /.test(name))
      // A mount from nowhere is a stage more there.
      .map(([id, name]) => [id, name.replace(/^\[stage-0 +/, '[')] as const)
      .map(([id, name]) => steady(`${name.replaceAll(/@sha256:[0-9a-f]+/g, '')}${known.has(id) ? ' CACHED' : ''}`))
      .sort()
  );
}

/** The members of a metadata file and the kinds of what they hold; of provenance, whether there is some, and where (docker's exporter has none of each platform). */
export function metadata(seen: Seen): unknown {
  const members = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    const kept = Object.entries(value).filter(([key]) => !key.startsWith('buildx.build.provenance/'));
    return Object.fromEntries(
      kept.map(([key, one]) => [key, key === 'buildx.build.provenance' ? 'provenance' : one] as const),
    );
  };
  const whole = members(JSON.parse(readFileSync(join(seen.out, 'meta.json'), 'utf8'))) as Record<string, unknown>;
  // bake writes one for each target.
  return shape(Object.fromEntries(Object.entries(whole).map(([key, one]) => [key, members(one)])));
}

/** The members of provenance, down to the depth where what is built begins. */
export function provenance({ stdout: text }: Seen): unknown {
  const { SLSA: said } = JSON.parse(text) as { SLSA: Record<string, unknown> };
  const names = (value: unknown): readonly string[] => Object.keys(value ?? {}).sort();
  const { metadata: meta, invocation, buildConfig, materials, ...others } = said;
  return {
    all: names(said),
    others: shape(others),
    metadata: names(meta),
    invocation: names(invocation),
    config: names(buildConfig),
    materials: shape(materials),
  };
}

/** JSON without its values: names of members, kinds of values. */
export function shape(value: unknown): unknown {
  if (Array.isArray(value)) return [...new Set(value.map((one) => JSON.stringify(shape(one))))].sort();
  if (typeof value !== 'object' || value === null) return typeof value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [steady(key), shape(one)]),
  );
}

/** The words at the beginnings of lines, as `Name:`; but for what buildx asks of the driver docker alone. */
export const labels = ({ stdout: text }: Seen): readonly string[] => [
  ...new Set(
    [...text.matchAll(/^([A-Z][A-Za-z ]+):/gm)]
      .map(([, label = '']) => label)
      .filter((label) => label !== 'Image Resolve Mode'),
  ),
];

const RECORD =
  'ID,Parents,Created at,Mutable,Reclaimable,Shared,Size,Description,Usage count,Last used,Type,Private,Total'.split(
    ',',
  );
/** The words at the beginnings of lines that no record of BuildKit's has. */
export const strangeLabels = (seen: Seen): readonly string[] => labels(seen).filter((label) => !RECORD.includes(label));

/** The lines on standard output in no order: of two members of a map. */
export const stdoutLines = (seen: Seen): readonly string[] => stdout(seen).split('\n').sort();

/** A build on record as JSON, but for what buildx asks of the driver docker alone, and the images in what it wrote, which docker's exporter names as well. */
export function record({ stdout: text }: Seen): unknown {
  const { Config: _, Attachments: attachments, ...said } = JSON.parse(text) as Record<string, unknown>;
  const types = (attachments as readonly { readonly Type: string }[]).map(({ Type: type }) => type);
  return { ...(shape(said) as object), isTold: types.some((type) => type.startsWith('https://slsa.dev/provenance/')) };
}

/** The heading of a table. */
export const heading = ({ stdout: text }: Seen): string => (text.split('\n')[0] ?? '').replaceAll(/\s+/g, ' ');

/** `--progress=rawjson`: which members there are, and the names of the steps. `cached` is there where something was. */
export function story(seen: Seen): unknown {
  const members: Record<string, Set<string>> = {};
  const names = new Set<string>();
  const told = all(seen)
    .split('\n')
    .filter((text) => text.startsWith('{'));
  for (const line of told) {
    const part = JSON.parse(line) as Record<string, readonly Record<string, unknown>[] | undefined>;
    for (const [kind, entries] of Object.entries(part))
      for (const entry of entries ?? []) {
        for (const key of Object.keys(entry)) if (key !== 'cached') (members[kind] ??= new Set()).add(key);
        const name = typeof entry['name'] === 'string' ? steady(entry['name']) : '';
        if (kind === 'vertexes' && name.startsWith('[') && !/\] FROM |\.dockerignore/.test(name)) names.add(name);
      }
  }
  return {
    members: Object.fromEntries(Object.entries(members).map(([kind, keys]) => [kind, [...keys].sort()])),
    names: [...names].sort(),
  };
}

/** The JSON on standard output without its values. */
export const outputShape = ({ stdout: text }: Seen): unknown => shape(JSON.parse(text));

/** The JSON on standard output. */
export const output = ({ stdout: text, plain }: Seen): unknown => JSON.parse(steady(plain(text)));

/** The remarks of a check as JSON; graphs of the file's own making are left out. */
export function remarks({ stdout: text, plain }: Seen): unknown {
  const { warnings, ...others } = JSON.parse(plain(text)) as { warnings: readonly Record<string, unknown>[] };
  return { warnings, others: Object.keys(others).sort() };
}
