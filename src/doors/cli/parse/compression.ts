import type { Compression } from '../../../engine/index.ts';
import { usage } from '../errors.ts';

const NAMES: Readonly<Record<string, Compression['name']>> = {
  gzip: 'gzip',
  zstd: 'zstd',
  uncompressed: 'none',
  none: 'none',
};

/** `gzip`, `zstd:9`, `uncompressed`. */
export function compressionOf(text: string): Compression {
  const [, word = '', level] = /^([a-z]+)(?::(\d{1,2}))?$/.exec(text) ?? [];
  const name = NAMES[word];
  if (name === undefined)
    throw usage(
      `read --compression "${text}": there is no such compression`,
      'Use gzip, zstd or uncompressed, with a level as gzip:9.',
    );
  return { name, level: level === undefined ? undefined : Number(level) };
}

/** `compression=…` and `compression-level=…`; undefined where neither is given. `bad` makes the error. */
export function compressionOfOutput(o: {
  readonly name: string | undefined;
  readonly level: string | undefined;
  readonly bad: (detail: string, remedy?: string) => Error;
}): Compression | undefined {
  const name = NAMES[o.name ?? 'gzip'];
  if (name === undefined) throw o.bad(`there is no compression "${o.name}"`, 'Use gzip, zstd or uncompressed.');
  if (o.level !== undefined && !/^\d{1,2}$/.test(o.level))
    throw o.bad(`compression-level "${o.level}" is not a number`);
  if (o.name === undefined && o.level === undefined) return undefined;
  return { name, level: o.level === undefined ? undefined : Number(o.level) };
}
