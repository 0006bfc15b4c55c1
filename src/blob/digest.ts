import { createHash, hash } from 'node:crypto';
import { errorTable } from '../base/index.ts';

/** `algorithm:hex`, as `sha256:…` (image-spec descriptor.md, Digests). */
export type Digest = `${string}:${string}`;

export const blobError = errorTable(
  {
    DIGEST_INVALID: 'invalid',
    DIGEST_UNSUPPORTED: 'unsupported',
    BLOB_NOT_FOUND: 'not_found',
    BLOB_CORRUPT: 'failed',
    BLOB_MISMATCH: 'invalid',
  },
  {
    BLOB_NOT_FOUND: 'Make or fetch the image again: a part of it is missing.',
    BLOB_CORRUPT: 'Make or fetch it again; "strake doctor --check-store" tells whether the store is damaged.',
    BLOB_MISMATCH: 'Fetch it again; if it is the same then, whoever offers it must repair it.',
  },
);

const SHAPES: Readonly<Record<string, RegExp>> = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ };

/** The digest that `text` writes. Throws `DIGEST_INVALID`, or `DIGEST_UNSUPPORTED` for an algorithm other than sha256 and sha512. */
export function parseDigest(text: string): Digest {
  const colon = text.indexOf(':');
  const shape = SHAPES[text.slice(0, Math.max(0, colon))];
  if (colon > 0 && !shape && /^[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(text))
    throw blobError(
      'DIGEST_UNSUPPORTED',
      `read digest "${text}": algorithm "${text.slice(0, colon)}" is not supported`,
    );
  if (!shape?.test(text.slice(colon + 1)))
    throw blobError('DIGEST_INVALID', `read digest "${text}": not of the form sha256:<64 hex digits>`);
  return text as Digest;
}

/** `parseDigest` as a question. */
export function isDigest(text: string): text is Digest {
  const colon = text.indexOf(':');
  return SHAPES[text.slice(0, Math.max(0, colon))]?.test(text.slice(colon + 1)) ?? false;
}

export function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** The sha256 of bytes that are at hand; text is taken as UTF-8. */
export function digestOf(content: Uint8Array | string): Digest {
  return `sha256:${hash('sha256', content, 'hex')}`;
}

/** Digest and size of bytes that come in pieces. */
export class Digester {
  readonly #algorithm: string;
  readonly #hash: ReturnType<typeof createHash>;
  #size = 0;

  constructor(algorithm = 'sha256') {
    this.#algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.#size;
  }

  update(chunk: Uint8Array): void {
    this.#size += chunk.length;
    this.#hash.update(chunk);
  }

  /** Ends the digester: call once. */
  digest(): Digest {
    return `${this.#algorithm}:${this.#hash.digest('hex')}`;
  }
}
