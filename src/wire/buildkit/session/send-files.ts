import { cancelled, messageOf, throwIfCancelled, type Wait } from '../../../base/index.ts';
import type { Entry, FileTree } from '../../../tree/index.ts';
import { fromStatus, type RawCall } from '../../grpc/index.ts';
import { sessionError } from './errors.ts';
import { DATA, ERR, FIN, packetHead, PacketReader, REQ, STAT, statPacket } from './packet.ts';
import { hasContent, statOf } from './stat.ts';

/** As fsutil cuts contents. */
const PIECE = 32 * 1024;
const FLUSH = 1000;

/**
 * Sends a tree by fsutil's protocol (its sender): all stats, then the contents that are asked for, in the order in which they are. What stands in layers only is left out. The call is over when this has settled. Throws `SESSION_PROTOCOL`,
 * `SESSION_SINK`, what reading the tree throws, and what the other side says.
 */
export async function sendFiles(
  call: RawCall,
  tree: FileTree,
  o: { readonly action: string; readonly onProgress?: ((bytes: number) => void) | undefined } & Wait,
): Promise<void> {
  const sender = new FileSender(call, tree, o);
  const onAbort = (): void => sender.stop(o.signal?.reason);
  o.signal?.addEventListener('abort', onAbort, { once: true });
  try {
    throwIfCancelled(o);
    await sender.run();
  } finally {
    o.signal?.removeEventListener('abort', onAbort);
  }
}

class FileSender {
  readonly #call: RawCall;
  readonly #tree: FileTree;
  readonly #o: Parameters<typeof sendFiles>[2];
  /** By id, those that may be asked for. */
  readonly #files = new Map<number, Entry>();
  #queue: { readonly id: number; readonly file: Entry }[] = [];
  #wake: (() => void) | undefined;
  #finished = false;
  #over = false;
  #failure: unknown;
  #bytes = 0;

  constructor(call: RawCall, tree: FileTree, o: Parameters<typeof sendFiles>[2]) {
    this.#call = call;
    this.#tree = tree;
    this.#o = o;
  }

  async run(): Promise<void> {
    const packet = new PacketReader();
    this.#call.receive((message) => {
      try {
        if (this.#failure === undefined) this.#take(packet, message);
      } catch (error) {
        this.#fail(error);
      }
    });
    const ended = this.#call.ended.then((status) => {
      this.#over = true;
      this.#wake?.();
      return status;
    });
    try {
      await this.#stats();
      await this.#contents();
    } catch (error) {
      this.#fail(error);
    }
    if (this.#finished && this.#failure === undefined) {
      this.#call.send(packetHead(FIN));
      this.#call.finish();
    }
    const status = await ended;
    if (this.#failure !== undefined) throw this.#failure;
    if (status) throw fromStatus(status, this.#o.action);
    if (!this.#finished)
      throw sessionError('SESSION_SINK', `${this.#o.action}: the other side ended before all was sent`);
  }

  stop(reason: unknown): void {
    this.#fail(cancelled(reason));
  }

  #fail(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    const text = Buffer.from(messageOf(error));
    this.#call.send(packetHead(ERR, { data: text.length }), text);
    this.#call.finish();
    this.#wake?.();
    const timer = setTimeout(() => this.#call.cancel(), 200);
    void this.#call.ended.then(() => clearTimeout(timer));
  }

  #take(packet: PacketReader, message: Buffer): void {
    packet.read(message);
    switch (packet.type) {
      case REQ: {
        const file = this.#files.get(packet.id);
        if (!file)
          throw sessionError('SESSION_PROTOCOL', `${this.#o.action}: file ${packet.id} was asked for, which is none`);
        this.#files.delete(packet.id);
        this.#queue.push({ id: packet.id, file });
        this.#wake?.();
        return;
      }
      case FIN:
        this.#finished = true;
        this.#wake?.();
        return;
      case ERR:
        throw sessionError('SESSION_SINK', `${this.#o.action}: ${packet.data.toString().slice(0, 4096)}`);
      default:
        throw sessionError(
          'SESSION_PROTOCOL',
          `${this.#o.action}: a packet came that the receiver of files may not send`,
        );
    }
  }

  async #stats(): Promise<void> {
    const entries = await this.#tree.entries(this.#o);
    const names = namesOf(entries);
    let id = 0;
    for (const entry of entries) {
      if (this.#failure !== undefined || this.#over) return;
      if (entry.path === '') continue;
      const other = names.get(entry.path);
      const stat = statOf(other ? { ...other.as, path: entry.path } : entry);
      if (!stat) continue;
      if (hasContent(stat.mode)) this.#files.set(id, other?.content ?? entry);
      id += 1;
      const free = this.#call.send(statPacket(stat));
      if (!free && id % FLUSH === 0) await this.#call.writable();
    }
    this.#call.send(packetHead(STAT));
  }

  async #contents(): Promise<void> {
    while (!this.#finished && !this.#over && this.#failure === undefined) {
      const batch = this.#queue;
      if (batch.length === 0) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#wake = undefined;
        continue;
      }
      this.#queue = [];
      await this.#send(batch);
    }
  }

  /** All contents come in one stream, cut where files end. */
  async #send(batch: readonly { readonly id: number; readonly file: Entry }[]): Promise<void> {
    let next = 0;
    let left = 0;
    const advance = (): void => {
      for (; next < batch.length; next++) {
        const { file } = batch[next]!;
        left = file.type === 'file' ? file.size : 0;
        if (left > 0) return;
        this.#call.send(packetHead(DATA, { id: batch[next]!.id }));
      }
    };
    advance();
    const files = batch.flatMap(({ file }) => (file.type === 'file' && file.size > 0 ? [file] : []));
    if (files.length === 0) return;
    for await (const chunk of this.#tree.read(files, this.#o)) {
      for (let at = 0; at < chunk.length && next < batch.length;) {
        if (this.#over || this.#failure !== undefined) return;
        const { id } = batch[next]!;
        const data = chunk.subarray(at, at + Math.min(PIECE, left));
        const free = this.#call.send(packetHead(DATA, { id, data: data.length }), data);
        at += data.length;
        left -= data.length;
        this.#bytes += data.length;
        if (left === 0) {
          this.#call.send(packetHead(DATA, { id }));
          next += 1;
          advance();
        }
        if (!free) {
          this.#o.onProgress?.(this.#bytes);
          await this.#call.writable();
        }
      }
    }
    this.#o.onProgress?.(this.#bytes);
    if (next < batch.length)
      throw sessionError('SESSION_SINK', `${this.#o.action}: "${batch[next]!.file.path}" ended early`);
  }
}

/**
 * What is sent of things with several names, by path: the first in order has the content, whichever of them had it in the tree, and the others are links to it. Only files have several names there: of what else has, each name is a thing of
 * its own.
 */
function namesOf(entries: readonly Entry[]): ReadonlyMap<string, { readonly as: Entry; readonly content?: Entry }> {
  const links = entries.filter((entry) => entry.type === 'hardlink');
  const out = new Map<string, { readonly as: Entry; readonly content?: Entry }>();
  if (links.length === 0) return out;
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const leaders = new Map<string, string>();
  for (const entry of entries) {
    const path = entry.type === 'hardlink' ? (entry.link ?? '') : entry.path;
    const target = byPath.get(path);
    if (!target || target.type === 'hardlink' || target.type === 'directory') continue;
    if (entry.type === 'hardlink' && target.type !== 'file') {
      out.set(entry.path, { as: target });
      continue;
    }
    if (target.type !== 'file') continue;
    const leader = leaders.get(path);
    if (leader === undefined) {
      leaders.set(path, entry.path);
      if (entry !== target) out.set(entry.path, { as: target, content: target });
    } else if (leader !== path) out.set(entry.path, { as: { ...target, type: 'hardlink', size: 0, link: leader } });
  }
  return out;
}
