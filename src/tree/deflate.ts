import { DEFLATE_WASM } from './deflate-wasm.ts';

/** The exports of native/deflate/assembly/deflate.ts. */
interface DeflateExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  input(): number;
  output(): number;
  compress(dictionary: number, length: number, last: number, level: number): number;
}

/** What this needs of the engine; TypeScript's types for it come with the DOM's. */
interface Engine {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object) => { readonly exports: unknown };
}

/** Bytes that one call can take, and how far back matches reach. */
export const DEFLATE_BLOCK = 1 << 20;
export const DEFLATE_WINDOW = 32 << 10;

let loaded: { exports: DeflateExports; bytes: Buffer } | undefined;

/**
 * Raw deflate of one block of a stream: `memory[start, start + length)`, after its `dictionary` bytes before `start`, to `into` at `at`; returns how many bytes that are. All but the last block end on a byte, with an empty stored block, so that
 * consecutive results are one stream (RFC 1951). Synchronous, deterministic.
 */
export function deflateBlock(
  memory: Uint8Array,
  o: { start: number; length: number; dictionary: number; last: boolean; level: number; at: number },
): number {
  loaded ??= load();
  const { exports, bytes } = loaded;
  bytes.set(memory.subarray(o.start - o.dictionary, o.start + o.length), exports.input() - o.dictionary);
  const size = exports.compress(o.dictionary, o.length, o.last ? 1 : 0, o.level);
  memory.set(bytes.subarray(exports.output(), exports.output() + size), o.at);
  return size;
}

/** The gzip member around it (RFC 1952): no name, no time, XFL 0, OS unknown. */
export const GZIP_HEADER = Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);

export function gzipTrailer(crc: number, size: number): Buffer {
  const trailer = Buffer.alloc(8);
  trailer.writeUInt32LE(crc, 0);
  trailer.writeUInt32LE(size % 2 ** 32, 4);
  return trailer;
}

function load(): { exports: DeflateExports; bytes: Buffer } {
  const { WebAssembly: engine } = globalThis as unknown as { WebAssembly: Engine };
  const instance = new engine.Instance(new engine.Module(Buffer.from(DEFLATE_WASM, 'base64')));
  const exports = instance.exports as DeflateExports;
  return { exports, bytes: Buffer.from(exports.memory.buffer) };
}
