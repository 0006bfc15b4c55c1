import { packError } from './errors.ts';
import { BUILD_FLAGS } from './flags.ts';
import type { ParsedFlags } from './parse-flags.ts';
import { passedOn } from './passed-on.ts';

/** `pack build` as a command line of strake's. */
export interface BuildPlan {
  readonly argv: readonly string[];
  /** What is said before. */
  readonly notes: readonly string[];
  /** Names of the image; of a layout its folder. */
  readonly image: string;
}

export interface BuildPlace {
  /** Socket of the daemon that answered. */
  readonly daemon: string | undefined;
  /** A pull policy or a default builder that the user has set. */
  readonly config: { readonly pullPolicy?: string | undefined; readonly defaultBuilder?: string | undefined };
}

/** Throws `PACK_FLAG_INVALID`, `PACK_UNSUPPORTED`. */
export function planPackBuild(parsed: ParsedFlags, o: BuildPlace): BuildPlan {
  const [image, ...more] = parsed.words;
  if (image === undefined || more.length > 0)
    throw packError('PACK_FLAG_INVALID', `read the command line: accepts 1 arg(s), received ${parsed.words.length}`, {
      remedy: 'Name the image, as in "pack build registry.example/app".',
    });
  const last = (name: string): string | undefined => parsed.values.get(name)?.at(-1);
  const { argv, notes } = passedOn(parsed, BUILD_FLAGS);
  const said = [...notes];
  const caches = cachesOf(last('cache'));
  said.push(...caches.notes);
  const policy = last('pull-policy') === undefined && o.config.pullPolicy === undefined;
  if (last('builder') === undefined && o.config.defaultBuilder === undefined)
    said.push('no builder is named or set: strake builds with the one that it comes with, or that of project.toml');
  const layout = image.startsWith('oci:') ? image.slice('oci:'.length) : undefined;
  const publish = last('publish') === 'true';
  const names = layout === undefined ? [image, ...(parsed.values.get('tag') ?? [])] : [];
  const { outputs, note } = outputsOf({ layout, publish, daemon: o.daemon });
  if (note !== undefined) said.push(note);
  return {
    argv: [
      'build',
      '--by-buildpacks',
      ...argv,
      ...caches.argv,
      ...(policy ? ['--pull-policy', 'always'] : []),
      ...networkOf(last('network')),
      ...names.flatMap((name) => ['-t', name]),
      ...outputs.flatMap((output) => ['-o', output]),
      '--',
      last('path') ?? '.',
    ],
    notes: said,
    image: names[0] ?? image,
  };
}

/** Where the image goes: a registry, a layout, the daemon and (for the next build) the store, or the store alone. */
function outputsOf(o: {
  readonly layout?: string | undefined;
  readonly publish: boolean;
  readonly daemon?: string | undefined;
}): {
  readonly outputs: readonly string[];
  readonly note?: string;
} {
  if (o.layout !== undefined) return { outputs: [csv('type=oci', 'tar=false', `dest=${o.layout}`)] };
  if (o.publish) return { outputs: ['type=registry'] };
  if (o.daemon !== undefined)
    return {
      outputs: ['type=image', csv('type=docker-daemon', `socket=${o.daemon}`)],
      note: `the image goes into the daemon at ${o.daemon}`,
    };
  return {
    outputs: ['type=image'],
    note: 'no Docker or Podman answers: the image goes into the store of strake ("strake run", "strake push")',
  };
}

function csv(...fields: readonly string[]): string {
  return fields.map((field) => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',');
}

function networkOf(name: string | undefined): readonly string[] {
  if (name === undefined) return [];
  if (name === 'bridge' || name === 'default') return ['--network', 'default'];
  if (name === 'none' || name === 'host') return ['--network', name];
  throw packError('PACK_UNSUPPORTED', `use network "${name}": there are no networks of Docker here`, {
    remedy: 'Use none, host or default.',
  });
}

/** `--cache 'type=build;format=image;name=…;type=launch;…'` (RFC 0099). */
function cachesOf(text: string | undefined): { readonly argv: readonly string[]; readonly notes: readonly string[] } {
  const argv: string[] = [];
  const notes: string[] = [];
  for (const cache of definitions(text)) {
    const { type = 'build', format = 'volume', name, source } = cache as Readonly<Record<string, string | undefined>>;
    if (type !== 'build' && type !== 'launch') throw badCache(text, `there is no type "${type}"`);
    if (!['volume', 'bind', 'image'].includes(format)) throw badCache(text, `there is no format "${format}"`);
    if (format === 'image' && name === undefined) throw badCache(text, 'the name of the image is missing');
    if (format === 'bind' && source === undefined) throw badCache(text, 'the source is missing');
    if (type === 'launch')
      notes.push('--cache type=launch has no effect: layers of the image before are taken from where it lies');
    else if (format === 'bind') argv.push('--cache', `type=build;format=bind;source=${source ?? ''}`);
    else if (name !== undefined) argv.push(format === 'image' ? '--cache-image' : '--cache-volume', name);
  }
  return { argv, notes };
}

function definitions(text: string | undefined): readonly Readonly<Record<string, string>>[] {
  if (text === undefined) return [];
  const found: Record<string, string>[] = [];
  for (const field of text.split(';').filter((one) => one !== '')) {
    const equals = field.indexOf('=');
    const key = field.slice(0, equals);
    if (equals < 0 || !['type', 'format', 'name', 'source'].includes(key))
      throw badCache(text, `there is no field "${field}"`);
    let last = found.at(-1);
    if (last === undefined || (key === 'type' && 'type' in last)) found.push((last = {}));
    last[key] = field.slice(equals + 1);
  }
  return found;
}

function badCache(text: string | undefined, detail: string): Error {
  return packError('PACK_FLAG_INVALID', `read --cache "${text ?? ''}": ${detail}`, {
    remedy: 'Write type=build;format=image;name=registry.example/cache, or format=volume.',
  });
}
