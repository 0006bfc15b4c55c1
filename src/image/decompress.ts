import { Readable, pipeline } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { CodedError, messageOf, type Bytes } from '../base/index.ts';
import { imageError } from './errors.ts';
import type { Compression } from './media-types.ts';

/** The content of compressed bytes, streaming. Throws `LAYER_CORRUPT`, naming `what`, when they cannot be decompressed; errors of `content` pass through. */
export async function* decompress(content: Bytes, compression: Compression, what = 'layer'): Bytes {
  if (compression === 'none') {
    yield* content;
    return;
  }
  const decoder =
    compression === 'gzip'
      ? createGunzip({ chunkSize: 1 << 20 })
      : createZstdDecompress({ chunkSize: 1 << 20, params: { [constants.ZSTD_d_windowLogMax]: 27 } });
  const source = Readable.from(content, { objectMode: false, highWaterMark: 1 << 20 });
  pipeline(source, decoder, () => undefined);
  try {
    yield* decoder as AsyncIterable<Uint8Array>;
  } catch (error) {
    if (error instanceof CodedError || !isCodecError(error)) throw error;
    throw imageError('LAYER_CORRUPT', `decompress ${what}: ${messageOf(error)}`, { cause: error });
  } finally {
    source.destroy();
    decoder.destroy();
  }
}

/** How bytes are compressed, by how they begin; at least 6 bytes are needed to tell. */
export function sniffCompression(head: Uint8Array): Compression | 'bzip2' | 'xz' {
  const [a, b, c, d] = head;
  if (a === 0x1f && b === 0x8b) return 'gzip';
  if (a === 0x28 && b === 0xb5 && c === 0x2f && d === 0xfd) return 'zstd';
  if (a !== undefined && (a & 0xf0) === 0x50 && b === 0x2a && c === 0x4d && d === 0x18) return 'zstd';
  if (a === 0x42 && b === 0x5a && c === 0x68) return 'bzip2';
  if (a === 0xfd && b === 0x37 && c === 0x7a && d === 0x58) return 'xz';
  return 'none';
}

function isCodecError(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? '';
  return /^(Z_|ZSTD_|ERR_ZLIB|ERR_ZSTD|ERR_TRAILING)/.test(code);
}
