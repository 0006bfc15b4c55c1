/**
 * Names on disk and in archives are bytes; here they are text. What is UTF-8 is its text; every byte that is not part of valid UTF-8 is a lone surrogate U+DC80..U+DCFF
 * (U+DC00 + the byte), so that no name is lost and none changes (as Python's "surrogateescape", PEP 383).
 */
import { isUtf8 } from 'node:buffer';

/** The bytes of a path. Surrogates that stand for no byte become U+FFFD. */
export function encodePath(path: string): Buffer {
  if (path.isWellFormed()) return Buffer.from(path);
  const out = Buffer.allocUnsafe(path.length * 3);
  let at = 0;
  let from = 0;
  for (let i = 0; i < path.length; i++) {
    const unit = path.charCodeAt(i);
    if (unit < 0xd800 || unit > 0xdfff) continue;
    if (unit < 0xdc00 && (path.charCodeAt(i + 1) & 0xfc00) === 0xdc00) {
      i += 1;
      continue;
    }
    if (unit < 0xdc80 || unit > 0xdcff) continue;
    at += out.write(path.slice(from, i), at);
    out[at++] = unit & 0xff;
    from = i + 1;
  }
  at += out.write(path.slice(from), at);
  return out.subarray(0, at);
}

/** The text of a path's bytes; `encodePath` gives the same bytes back. */
export function decodePath(bytes: Uint8Array): string {
  const buffer = bytes instanceof Buffer ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (isUtf8(buffer)) return buffer.toString('utf8');
  let text = '';
  let from = 0;
  for (let at = 0; at < buffer.length;) {
    const length = sequenceLength(buffer, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += buffer.toString('utf8', from, at) + String.fromCharCode(0xdc00 | buffer[at]!);
    at += 1;
    from = at;
  }
  return text + buffer.toString('utf8', from);
}

/** `path` below the folder `root`, for node:fs: a string wherever one can name it, else bytes. */
export function fsPath(root: string, path: string): string | Buffer {
  const full = path === '' ? root : root.endsWith('/') ? root + path : `${root}/${path}`;
  return full.isWellFormed() ? full : encodePath(full);
}

/** How many bytes the UTF-8 character at `at` has; 0 when there is none (Unicode 3.9, table 3-7). */
function sequenceLength(b: Uint8Array, at: number): number {
  const first = b[at]!;
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const second = b[at + 1] ?? 0;
  const low = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const high = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < low || second > high) return 0;
  for (let i = 2; i < length; i++) if (((b[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}
