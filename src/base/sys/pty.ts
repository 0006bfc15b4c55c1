import { closeSync, constants, openSync } from 'node:fs';
import { call } from './call.ts';

/** Both ends of a pseudo terminal, as file descriptors of this process. */
export interface Pty {
  readonly master: number;
  readonly slave: number;
}

/** In characters. */
export interface WindowSize {
  readonly columns: number;
  readonly rows: number;
}

/**
 * A new pseudo terminal (pty(7)) of the devpts that `ptmx` belongs to, the machine's by default. Nobody's controlling terminal. Throws ENXIO and such by `check`.
 */
export function openPty(check: (result: number, syscall: string) => number, ptmx = '/dev/ptmx'): Pty {
  const master = openSync(ptmx, constants.O_RDWR | constants.O_NOCTTY);
  try {
    check(call('ioctl', master, TIOCSPTLCK, Buffer.alloc(4)), 'ioctl TIOCSPTLCK');
    const flags = constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC;
    return { master, slave: check(call('ioctl', master, TIOCGPTPEER, flags), 'ioctl TIOCGPTPEER') };
  } catch (error) {
    closeSync(master);
    throw error;
  }
}

/** struct winsize of ioctl_tty(2). */
export function windowSizeData({ columns, rows }: WindowSize): Buffer {
  const data = Buffer.alloc(8);
  data.writeUInt16LE(Math.min(Math.max(rows, 0), 0xffff), 0);
  data.writeUInt16LE(Math.min(Math.max(columns, 0), 0xffff), 2);
  return data;
}

/** The kernel's struct termios with what cfmakeraw(3) changes. */
export function rawTermios(data: Buffer): Buffer {
  const raw = Buffer.from(data);
  const change = (at: number, clear: number, set = 0): void =>
    void raw.writeUInt32LE(((raw.readUInt32LE(at) & ~clear) | set) >>> 0, at);
  change(0, IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
  change(4, OPOST);
  change(8, CSIZE | PARENB, CS8);
  change(12, ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  return raw;
}

export const TCGETS = 0x5401;
export const TCSETS = 0x5402;
export const TIOCSWINSZ = 0x5414;
/** Bytes of the kernel's struct termios (asm-generic/termbits.h). */
export const TERMIOS_SIZE = 36;
const TIOCSPTLCK = 0x40045431;
const TIOCGPTPEER = 0x5441;
const O_CLOEXEC = 0o2000000;
const IGNBRK = 0o1;
const BRKINT = 0o2;
const PARMRK = 0o10;
const ISTRIP = 0o40;
const INLCR = 0o100;
const IGNCR = 0o200;
const ICRNL = 0o400;
const IXON = 0o2000;
const OPOST = 0o1;
const CSIZE = 0o60;
const CS8 = 0o60;
const PARENB = 0o400;
const ISIG = 0o1;
const ICANON = 0o2;
const ECHO = 0o10;
const ECHONL = 0o100;
const IEXTEN = 0o100000;
