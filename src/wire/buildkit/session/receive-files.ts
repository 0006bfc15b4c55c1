import { createHash, hash, type Hash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { cancelled, type Clock, messageOf, type Wait } from '../../../base/index.ts';
import type { Digest } from '../../../blob/index.ts';
import { isLayerXattr, type Entry } from '../../../tree/index.ts';
import { fromStatus, type RawCall } from '../../grpc/index.ts';
import { OrderCheck } from './check-order.ts';
import { sessionError } from './errors.ts';
import type { KeptFile } from './kept-index.ts';
import type { Stay } from './kept-files.ts';
import type { PackWriter } from './pack-writer.ts';
import { DATA, ERR, FIN, packetHead, PacketReader, REQ, STAT } from './packet.ts';
import { entryOf, hasContent, type Stat } from './stat.ts';

/** Where a file's content lies. */
export interface Place {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
  readonly digest: Digest;
}

export interface Received {
  readonly entries: readonly Entry[];
  /** Of every `file` of `entries`, by path. */
  readonly places: ReadonlyMap<string, Place>;
  /** What may be kept for the next time, new and old. */
  readonly keep: ReadonlyMap<string, KeptFile>;
  readonly packs: readonly PackWriter[];
  /** Bytes of all packets that were sent now, as BuildKit counts them. */
  readonly bytes: number;
}

/** Contents asked for and not yet here: so many files, and so many bytes of those that are gathered in memory. */
const MOST_ASKED = 4096;
const MOST_GATHERED = 32 * 1024 ** 2;
/** Contents up to this size are gathered, larger ones are written as they come. */
const SMALL = 128 * 1024;
const MOST_LARGE = 64;
/** Bytes gathered at most, whatever the stats have said. */
const MOST_HELD = 2 * MOST_GATHERED;
/** By how much a file may have become larger since it was looked at; of one of size 0, how large it may be: fsutil says so of a hard link whose first name is left out. */
const GROWTH = 64 * 1024 ** 2;
const UNSIZED = 16 * 1024 ** 3;
/** A file changed so shortly before its content was sent could have been changed again within the same tick of its file system's clock. */
const RACY_NS = 50_000_000n;
/** Times up to this one are what tools give to all files alike: they tell of no change. */
const SAME_FOR_ALL_NS = 1_000_000_000n;

/** A file whose content is under way. */
interface Transfer {
  readonly id: number;
  readonly at: number;
  readonly stat: Stat;
  got: number;
  small: Buffer | undefined;
  hash: Hash | undefined;
  pack: PackWriter | undefined;
  offset: number;
  /** Bytes that there is room for in the pack. */
  room: number;
  askedAt: number;
}

/**
 * Receives a tree by fsutil's protocol (its receiver): the stats, then the contents of the files of which `known` knows none, while the stats still come. The call is over when this has settled. Throws `SESSION_PROTOCOL`, `SESSION_LIMIT`,
 * `SESSION_FILES` and what the caller's status says.
 */
export async function receiveFiles(
  call: RawCall,
  o: {
    /** Names them in messages. */
    readonly name: string;
    /** The content of a file as it was sent some other time. */
    readonly known: (stat: Stat) => (Place & { readonly keep: KeptFile }) | undefined;
    readonly stay: Stay;
    readonly clock: Clock;
  } & Wait,
): Promise<Received> {
  const receiver = new FileReceiver(call, o);
  const onAbort = (): void => receiver.abort(o.signal?.reason);
  if (o.signal?.aborted) onAbort();
  o.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await receiver.run();
  } finally {
    o.signal?.removeEventListener('abort', onAbort);
  }
}

export function statText(stat: Stat): string {
  return `${stat.mode}.${stat.size}.${stat.mtime}`;
}

class FileReceiver {
  readonly #call: RawCall;
  readonly #o: Parameters<typeof receiveFiles>[1];
  readonly #packet = new PacketReader();
  readonly #order = new OrderCheck();
  readonly #entries: Entry[] = [];
  readonly #places = new Map<string, Place>();
  readonly #keep = new Map<string, KeptFile>();
  readonly #packs: PackWriter[] = [];
  readonly #waiting: Transfer[] = [];
  #nextWaiting = 0;
  readonly #asked = new Map<number, Transfer>();
  #gathered = 0;
  /** Bytes gathered now. */
  #held = 0;
  #large = 0;
  #ids = 0;
  #listed = false;
  #finished = false;
  #ended = false;
  #bytes = 0;
  #failure: unknown;

  constructor(call: RawCall, o: Parameters<typeof receiveFiles>[1]) {
    this.#call = call;
    this.#o = o;
  }

  async run(): Promise<Received> {
    try {
      this.#call.receive((message) => this.#take(message));
      const status = await this.#call.ended;
      if (this.#failure !== undefined) throw this.#failure;
      if (status) throw fromStatus(status, `receive files "${this.#o.name}"`);
      if (!this.#ended)
        throw sessionError('SESSION_PROTOCOL', `receive files "${this.#o.name}": the client ended before all was sent`);
      for (const pack of this.#packs) pack[Symbol.dispose]();
      return {
        entries: this.#entries,
        places: this.#places,
        keep: this.#keep,
        packs: this.#packs,
        bytes: this.#bytes,
      };
    } catch (error) {
      for (const pack of this.#packs) this.#o.stay.drop(pack);
      throw error;
    }
  }

  abort(reason: unknown): void {
    this.#fail(cancelled(reason));
  }

  /** Tells the sender, too; it has a moment to read it. */
  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const text = Buffer.from(messageOf(error));
    this.#call.send(packetHead(ERR, { data: text.length }), text);
    this.#call.finish();
    const timer = setTimeout(() => this.#call.cancel(), 200);
    void this.#call.ended.then(() => clearTimeout(timer));
  }

  #take(message: Buffer): void {
    if (this.#failure !== undefined) return;
    try {
      this.#bytes += message.length;
      this.#packet.read(message);
      this.#handle();
    } catch (error) {
      this.#fail(error);
    }
  }

  #handle(): void {
    const packet = this.#packet;
    if (this.#ended) throw this.#wrong('something came after the end');
    switch (packet.type) {
      case STAT:
        if (this.#listed) throw this.#wrong('a file came after the last one');
        if (packet.stat) this.#stat(packet.stat);
        else this.#listed = true;
        break;
      case DATA:
        this.#data(packet.id, packet.data);
        break;
      case FIN:
        if (!this.#finished) throw this.#wrong('the client ended before all was sent');
        this.#ended = true;
        this.#call.finish();
        return;
      case ERR:
        throw sessionError(
          'SESSION_FILES',
          `receive files "${this.#o.name}": ${packet.data.toString().slice(0, 4096)}`,
          {
            remedy: 'See what the client says.',
          },
        );
      default:
        throw this.#wrong('a packet of a kind came that is none');
    }
    this.#ask();
  }

  #stat(stat: Stat): void {
    this.#order.check(stat);
    const id = this.#ids++;
    const entry = entryOf(stat, { xattrs: isLayerXattr });
    if (!entry) return;
    const at = this.#entries.push(entry) - 1;
    if (entry.type !== 'file' || !hasContent(stat.mode)) return;
    const known = this.#o.known(stat);
    if (known) {
      const { keep, ...place } = known;
      this.#place(at, place);
      this.#keep.set(stat.path, keep);
      return;
    }
    this.#waiting.push({
      id,
      at,
      stat,
      got: 0,
      small: undefined,
      hash: undefined,
      pack: undefined,
      offset: 0,
      room: 0,
      askedAt: 0,
    });
  }

  /** Asks for as much as may be under way. */
  #ask(): void {
    let askedAt: number | undefined;
    while (this.#nextWaiting < this.#waiting.length && this.#asked.size < MOST_ASKED) {
      const transfer = this.#waiting[this.#nextWaiting]!;
      const { size } = transfer.stat;
      if (size > SMALL ? this.#large >= MOST_LARGE : this.#gathered + size > MOST_GATHERED) break;
      if (size > SMALL) this.#large += 1;
      else this.#gathered += size;
      this.#nextWaiting += 1;
      transfer.askedAt = askedAt ??= this.#o.clock.now();
      this.#asked.set(transfer.id, transfer);
      this.#call.send(packetHead(REQ, { id: transfer.id }));
    }
    if (this.#nextWaiting > 8192) {
      this.#waiting.splice(0, this.#nextWaiting);
      this.#nextWaiting = 0;
    }
    if (!this.#listed || this.#finished || this.#asked.size > 0 || this.#nextWaiting < this.#waiting.length) return;
    this.#finished = true;
    this.#call.send(packetHead(FIN));
  }

  #data(id: number, data: Buffer): void {
    const transfer = this.#asked.get(id);
    if (!transfer) throw this.#wrong(`content came that was not asked for (${id})`);
    if (data.length === 0) {
      this.#complete(transfer);
      return;
    }
    const before = transfer.got;
    transfer.got += data.length;
    const { size, path } = transfer.stat;
    if (transfer.got > (size === 0 ? UNSIZED : size + GROWTH))
      throw sessionError('SESSION_LIMIT', `receive the file ${JSON.stringify(path)}: it grows while it is sent`, {
        remedy: 'Run the build again once nothing writes to this file any more, or leave it out by .dockerignore.',
      });
    if (!transfer.pack && transfer.got <= SMALL && this.#held + data.length <= MOST_HELD) {
      this.#hold(transfer, data, before);
      return;
    }
    transfer.hash ??= createHash('sha256');
    if (!transfer.pack) {
      transfer.room = Math.max(size, transfer.got);
      transfer.pack = this.#pack();
      transfer.offset = transfer.pack.reserve(transfer.room);
      const small = this.#released(transfer, before);
      transfer.hash.update(small);
      transfer.pack.writeAt(small, transfer.offset);
    }
    if (transfer.got > transfer.room) this.#move(transfer, before);
    transfer.hash.update(data);
    transfer.pack.writeAt(data, transfer.offset + before);
  }

  /** Gathers a small content. */
  #hold(transfer: Transfer, data: Buffer, before: number): void {
    const had = transfer.small ?? EMPTY;
    if (had.length < transfer.got) {
      const size = Math.min(SMALL, Math.max(transfer.stat.size, transfer.got, 2 * had.length));
      const more = Buffer.allocUnsafe(Math.max(size, transfer.got));
      had.copy(more, 0, 0, before);
      transfer.small = more;
    }
    data.copy(transfer.small!, before);
    this.#held += data.length;
  }

  /** What was gathered. */
  #released(transfer: Transfer, size: number): Buffer {
    const { small } = transfer;
    if (!small) return EMPTY;
    transfer.small = undefined;
    this.#held -= size;
    return small.subarray(0, size);
  }

  /** What outgrows its room goes on in a pack of its own. */
  #move(transfer: Transfer, written: number): void {
    const pack = this.#o.stay.newPack();
    this.#packs.unshift(pack);
    const fd = openSync(transfer.pack!.path, 'r');
    try {
      const buffer = Buffer.allocUnsafe(Math.min(written, 1 << 20));
      for (let at = 0; at < written;) {
        const n = readSync(fd, buffer, 0, Math.min(buffer.length, written - at), transfer.offset + at);
        if (n === 0) throw new TypeError('a pack is shorter than what was written to it');
        pack.writeAt(buffer.subarray(0, n), at);
        at += n;
      }
    } finally {
      closeSync(fd);
    }
    transfer.pack = pack;
    transfer.offset = 0;
    transfer.room = Number.MAX_SAFE_INTEGER;
  }

  #complete(transfer: Transfer): void {
    const { stat, got } = transfer;
    this.#asked.delete(transfer.id);
    if (stat.size > SMALL) this.#large -= 1;
    else this.#gathered -= stat.size;
    if (got === 0 && stat.size > 0)
      throw sessionError(
        'SESSION_FILE_UNREADABLE',
        `receive the file ${JSON.stringify(stat.path)}: the client sent nothing of its ${stat.size} bytes`,
      );
    const small = this.#released(transfer, got);
    const digest: Digest = `sha256:${transfer.hash ? transfer.hash.digest('hex') : hash('sha256', small, 'hex')}`;
    const pack = transfer.pack ?? this.#pack();
    const offset = transfer.pack ? transfer.offset : pack.append(small);
    this.#place(transfer.at, { path: pack.path, offset, size: got, digest });
    const seen = Math.floor(this.#o.clock.now() / 1000);
    if (stat.mtime > SAME_FOR_ALL_NS && stat.mtime < BigInt(Math.floor(transfer.askedAt)) * 1_000_000n - RACY_NS)
      this.#keep.set(stat.path, { stat: statText(stat), pack: pack.name, offset, size: got, digest, seen });
  }

  #place(at: number, place: Place): void {
    const entry = this.#entries[at]!;
    this.#places.set(entry.path, place);
    if (entry.size !== place.size) this.#entries[at] = { ...entry, size: place.size };
  }

  #pack(): PackWriter {
    let last = this.#packs.at(-1);
    if (!last) this.#packs.push((last = this.#o.stay.newPack()));
    return last;
  }

  #wrong(why: string): Error {
    return sessionError('SESSION_PROTOCOL', `receive files "${this.#o.name}": ${why}`);
  }
}

const EMPTY = Buffer.alloc(0);
