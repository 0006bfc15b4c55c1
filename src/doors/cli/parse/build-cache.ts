import { resolve } from 'node:path';
import { usage } from '../errors.ts';

/** Where what buildpacks keep lies, as `--cache` says it: in a registry, under a name of the store, in a folder. */
export interface BuildCachePlace {
  readonly image?: string | undefined;
  readonly volume?: string | undefined;
  readonly folder?: string | undefined;
}

const KEYS: readonly string[] = ['type', 'format', 'name', 'source'];

/** `--cache 'type=build;format=bind;source=FOLDER'`, also several with ";" between them (buildpacks RFC 0099). A launch cache has nothing to hold here: layers of the image before are taken from where it lies. Throws `USAGE`. */
export function buildCachePlace(texts: readonly string[], o: { cwd: string }): BuildCachePlace {
  let place: BuildCachePlace = {};
  for (const text of texts)
    for (const { type = 'build', format = 'volume', name, source } of definitionsOf(text)) {
      if (type !== 'build' && type !== 'launch') throw bad(text, `there is no type "${type}"`);
      if (!['volume', 'bind', 'image'].includes(format)) throw bad(text, `there is no format "${format}"`);
      if (format === 'image' && (name ?? '') === '') throw bad(text, 'the name of the image is missing');
      if (format === 'bind' && (source ?? '') === '') throw bad(text, 'the source is missing');
      if (type === 'launch') continue;
      if (Object.keys(place).length > 0) throw bad(text, 'there is another cache of this type');
      if (format === 'bind') place = { folder: resolve(o.cwd, source ?? '') };
      else if (name !== undefined) place = format === 'image' ? { image: name } : { volume: name };
    }
  return place;
}

type Definition = Readonly<Partial<Record<'type' | 'format' | 'name' | 'source', string>>>;

function definitionsOf(text: string): readonly Definition[] {
  const found: Record<string, string>[] = [];
  for (const field of text.split(';').filter((one) => one !== '')) {
    const equals = field.indexOf('=');
    const key = field.slice(0, equals);
    if (equals < 0 || !KEYS.includes(key)) throw bad(text, `there is no field "${field}"`);
    let last = found.at(-1);
    if (last === undefined || (key === 'type' && 'type' in last)) found.push((last = {}));
    last[key] = field.slice(equals + 1);
  }
  return found;
}

function bad(text: string, detail: string): Error {
  return usage(
    `read --cache "${text}": ${detail}`,
    'Write type=build;format=bind;source=FOLDER, or format=image;name=registry.example/cache, or format=volume;name=NAME.',
  );
}
