import type { Descriptor } from '../blob/index.ts';
import type { History, ImageConfig } from './config.ts';

/** What an image says of itself, as far as it is known without making anything. */
export interface ImageFacts {
  readonly config: ImageConfig;
  /** Absent for an image that has been built and never written anywhere. */
  readonly manifest?: { readonly mediaType: string; readonly layers: readonly Descriptor[] } | undefined;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export type ImagePart = 'config' | 'history' | 'layers' | 'annotations';

/** One value that two images do not share; a side that has none is undefined. */
export interface ValueDifference {
  readonly part: ImagePart;
  /** As `config.Env.PATH` or `history[3].created_by`. */
  readonly at: string;
  readonly a: unknown;
  readonly b: unknown;
}

/** What differs in two images but for their files. With `times: false` times of creation may differ. */
export function compareImages(
  a: ImageFacts,
  b: ImageFacts,
  o: { readonly parts?: ReadonlySet<ImagePart> | undefined; readonly times?: boolean | undefined } = {},
): readonly ValueDifference[] {
  const found: ValueDifference[] = [];
  const part = (name: ImagePart, pairs: Iterable<Omit<ValueDifference, 'part'>>): void => {
    if (o.parts && !o.parts.has(name)) return;
    for (const pair of pairs) {
      if (o.times === false && /(^|\.)created$/.test(pair.at)) continue;
      found.push({ part: name, ...pair });
    }
  };
  part('config', compareValues(runtimeOf(a.config), runtimeOf(b.config), ''));
  part('history', compareValues(historyOf(a.config), historyOf(b.config), 'history'));
  part('layers', compareLayers(a, b));
  if (a.manifest && b.manifest) part('annotations', compareValues(a.annotations ?? {}, b.annotations ?? {}, ''));
  return found;
}

/** The config without what has a part of its own; the environment by name, so that one variable is one difference. */
function runtimeOf(config: ImageConfig): unknown {
  const { history: _, rootfs: __, ...rest } = config;
  if (!rest.config?.Env) return rest;
  const { Env, ...run } = rest.config;
  const names = Env.map((line) => line.split('=', 1)[0] ?? '');
  const byName = Object.fromEntries(Env.map((line, at) => [names[at] ?? '', line.slice((names[at] ?? '').length + 1)]));
  return { ...rest, config: { ...run, Env: byName, 'order of Env': names.join(' ') } };
}

function historyOf({ history }: ImageConfig): readonly History[] {
  return history ?? [];
}

/** By the digests of the uncompressed tars; the same tar compressed otherwise is a difference of its own. */
function* compareLayers(a: ImageFacts, b: ImageFacts): Iterable<Omit<ValueDifference, 'part'>> {
  const [left, right] = [a.config.rootfs.diff_ids, b.config.rootfs.diff_ids];
  yield* compareValues(left, right, 'layers');
  if (!a.manifest || !b.manifest) return;
  yield* compareValues(a.manifest.mediaType, b.manifest.mediaType, 'manifest');
  for (const [at, mine] of a.manifest.layers.entries()) {
    const other = b.manifest.layers[at];
    if (!other || left[at] !== right[at]) continue;
    yield* compareValues(mine.mediaType, other.mediaType, `layers[${at}].mediaType`);
    if (mine.mediaType === other.mediaType) yield* compareValues(mine.digest, other.digest, `layers[${at}].compressed`);
  }
}

/** Every place where two JSON values differ: members of objects by name, of arrays by number. `null` and absent are one (Go writes either). */
export function* compareValues(a: unknown, b: unknown, at: string): Iterable<Omit<ValueDifference, 'part'>> {
  if (a === b || (a ?? undefined) === (b ?? undefined)) return;
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.max(a.length, b.length); i++) yield* compareValues(a[i], b[i], `${at}[${i}]`);
    return;
  }
  if (isObject(a) && isObject(b)) {
    const names = new Set([...Object.keys(a), ...Object.keys(b)]);
    for (const name of [...names].sort()) yield* compareValues(a[name], b[name], at === '' ? name : `${at}.${name}`);
    return;
  }
  yield { at, a, b };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
