import type { Bytes } from '../base/index.ts';
import { packagesError } from './errors.ts';

/** A member of an ar archive. Its content must be read before the next member is asked for; what is left unread is passed over. */
export interface ArMember {
  readonly name: string;
  readonly size: number;
  readonly content: Bytes;
}

const MAGIC = '!<arch>\n';
const HEADER = 60;

/** The members of an ar archive (ar(5), as deb(5) uses it: short names, no symbol table). Throws `DEB_INVALID`. */
export async function* arMembers(content: Bytes, what: string): AsyncIterable<ArMember> {
  const reader = new Reader(content);
  try {
    const magic = await reader.exactly(MAGIC.length);
    if (magic?.toString('latin1') !== MAGIC) throw invalid(what, 'it is no ar archive');
    for (;;) {
      const header = await reader.exactly(HEADER);
      if (header === undefined) return;
      const size = Number(header.toString('latin1', 48, 58).trim());
      if (header.toString('latin1', 58, 60) !== '`\n' || !Number.isSafeInteger(size) || size < 0)
        throw invalid(what, 'a member has no proper header');
      const state = { left: size };
      yield {
        name: header.toString('latin1', 0, 16).trim().replace(/\/$/, ''),
        size,
        content: memberBytes(reader, state, what),
      };
      await reader.skip(state.left + (size % 2), what, state.left);
    }
  } finally {
    await reader.close();
  }
}

async function* memberBytes(reader: Reader, state: { left: number }, what: string): Bytes {
  while (state.left > 0) {
    const chunk = await reader.upTo(state.left);
    if (chunk === undefined) throw invalid(what, `it ends ${state.left} bytes early`);
    state.left -= chunk.length;
    yield chunk;
  }
}

class Reader {
  readonly #source: AsyncIterator<Uint8Array>;
  #held: Buffer = Buffer.alloc(0);

  constructor(content: Bytes) {
    this.#source = content[Symbol.asyncIterator]();
  }

  /** The next bytes, as many as there are up to `limit`; undefined at the end. */
  async upTo(limit: number): Promise<Buffer | undefined> {
    while (this.#held.length === 0) {
      const { done, value } = await this.#source.next();
      if (done === true) return undefined;
      this.#held = Buffer.from(value.buffer, value.byteOffset, value.length);
    }
    const chunk = this.#held.subarray(0, limit);
    this.#held = this.#held.subarray(chunk.length);
    return chunk;
  }

  /** Fewer bytes only where it ends in between; undefined when nothing is left. */
  async exactly(count: number): Promise<Buffer | undefined> {
    const parts: Buffer[] = [];
    for (let have = 0; have < count;) {
      const chunk = await this.upTo(count - have);
      if (chunk === undefined) return have === 0 ? undefined : Buffer.concat(parts);
      have += chunk.length;
      parts.push(chunk);
    }
    return Buffer.concat(parts);
  }

  async skip(count: number, what: string, needed: number): Promise<void> {
    for (let left = count; left > 0;) {
      const chunk = await this.upTo(left);
      if (chunk === undefined) {
        if (needed > 0) throw invalid(what, `it ends ${left} bytes early`);
        return;
      }
      left -= chunk.length;
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

function invalid(what: string, detail: string): Error {
  return packagesError('DEB_INVALID', `read ${what}: ${detail}`);
}
