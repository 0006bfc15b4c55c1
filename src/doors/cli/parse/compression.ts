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
