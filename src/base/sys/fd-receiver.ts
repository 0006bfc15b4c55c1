import { createRequire } from 'node:module';
import type * as ffi from 'node:ffi';
import { closeSync, constants, openSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { call } from './call.ts';

type Check = (result: number, syscall: string, path?: string) => number;

const AF_UNIX = 1;
const STREAM = 1;
const NONBLOCK = 0o4000;
const CLOEXEC = 0o2000000;
const RIGHTS = 1;
const CMSG_CLOEXEC = 0x40000000;
/** Of a struct cmsghdr, of it with one descriptor, and of that with its padding (cmsg(3), 64 bits). */
const [HEADER, USED, SPACE] = [16, 20, 24];

/** A Unix socket at `path` that takes one file descriptor from who connects to it (SCM_RIGHTS of unix(7)). Nothing of it waits. */
export class FdReceiver implements Disposable {
  readonly #listener: number;
  readonly #again: (result: number) => boolean;
  #connection: number | undefined;

  constructor(path: string, check: Check, again: () => boolean) {
    this.#again = (result) => result < 0 && again();
    this.#listener = check(call('socket', AF_UNIX, STREAM | NONBLOCK | CLOEXEC, 0), 'socket');
    // The path may be longer than an address can be: the folder goes by its descriptor.
    const folder = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      const name = Buffer.from(`/proc/self/fd/${folder}/${basename(path)}\0`);
      const family = Buffer.alloc(2);
      family.writeUInt16LE(AF_UNIX);
      const address = Buffer.concat([family, name]);
      check(call('bind', this.#listener, address, address.length), 'bind', path);
      check(call('listen', this.#listener, 1), 'listen', path);
    } catch (error) {
      call('close', this.#listener);
      throw error;
    } finally {
      closeSync(folder);
    }
  }

  /** The descriptor, once it has come: the caller's to close. */
  take(check: Check): number | undefined {
    this.#connection ??= this.#accept(check);
    return this.#connection === undefined ? undefined : this.#receive(this.#connection, check);
  }

  [Symbol.dispose](): void {
    if (this.#connection !== undefined) call('close', this.#connection);
    call('close', this.#listener);
  }

  #accept(check: Check): number | undefined {
    const fd = call('accept4', this.#listener, null, null, NONBLOCK | CLOEXEC);
    return this.#again(fd) ? undefined : check(fd, 'accept4');
  }

  #receive(connection: number, check: Check): number | undefined {
    const { getRawPointer } = createRequire(import.meta.url)('node:ffi') as typeof ffi;
    const data = Buffer.alloc(256);
    const control = Buffer.alloc(SPACE);
    const vector = Buffer.alloc(16);
    vector.writeBigUInt64LE(getRawPointer(data), 0);
    vector.writeBigUInt64LE(BigInt(data.length), 8);
    const message = Buffer.alloc(56);
    message.writeBigUInt64LE(getRawPointer(vector), 16);
    message.writeBigUInt64LE(1n, 24);
    message.writeBigUInt64LE(getRawPointer(control), 32);
    message.writeBigUInt64LE(BigInt(control.length), 40);
    const got = call('recvmsg', connection, message, CMSG_CLOEXEC);
    if (this.#again(got)) return undefined;
    check(got, 'recvmsg');
    const came = message.readBigUInt64LE(40) >= BigInt(USED) && control.readInt32LE(12) === RIGHTS;
    return came ? control.readInt32LE(HEADER) : undefined;
  }
}
