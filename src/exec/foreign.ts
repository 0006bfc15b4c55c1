import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { hasErrno, type Wait } from '../base/index.ts';

/** How programs of an architecture are told (elf(5)), and the smallest one: exit(0). */
interface Machine {
  readonly bits: 32 | 64;
  readonly bigEndian?: boolean | undefined;
  /** e_machine. */
  readonly number: number;
  readonly flags: number;
  /** Its machine code, as it lies in memory. */
  readonly code: string;
}

/** By the names of GOARCH. */
const MACHINES: Readonly<Record<string, Machine>> = {
  amd64: { bits: 64, number: 62, flags: 0, code: '31ff b83c000000 0f05' },
  '386': { bits: 32, number: 3, flags: 0, code: '31db b801000000 cd80' },
  arm64: { bits: 64, number: 183, flags: 0, code: '000080d2 a80b80d2 010000d4' },
  arm: { bits: 32, number: 40, flags: 0x0500_0000, code: '0000a0e3 0170a0e3 000000ef' },
  riscv64: { bits: 64, number: 243, flags: 0, code: '13050000 9308d005 73000000' },
  ppc64le: { bits: 64, number: 21, flags: 2, code: '00006038 01000038 02000044' },
  s390x: { bits: 64, bigEndian: true, number: 22, flags: 0, code: 'a7290000 a7190001 0a00' },
  loong64: { bits: 64, number: 258, flags: 0x43, code: '04008002 0b748102 00002b00' },
  mips64le: { bits: 64, number: 8, flags: 0x8000_0007, code: '00000424 c2130224 0c000000' },
};

/** What can be said of running programs of an architecture on this machine. */
export type Execution =
  | { readonly works: true }
  /** `detached`: the machine has an emulator, which is not found inside a root. */
  | { readonly works: false; readonly reason: 'no emulator' | 'detached' };

/**
 * Tries the smallest program of an architecture, written to `folder` and removed again. Of one that is not known here, and where programs in `folder` may not be run, it says that it works: the step will tell.
 */
export async function tryArchitecture(
  architecture: string,
  o: { readonly folder: string; readonly binfmt?: string | undefined } & Wait,
): Promise<Execution> {
  const machine = MACHINES[architecture];
  if (!machine) return { works: true };
  const program = smallestProgram(machine);
  const file = join(o.folder, `try-${architecture}`);
  mkdirSync(o.folder, { recursive: true });
  try {
    writeFileSync(file, program);
    chmodSync(file, 0o700);
    const outcome = await run(file, o);
    if (outcome === 'denied') return { works: true };
    if (outcome === 'refused') return { works: false, reason: 'no emulator' };
    return isDetached(program, o.binfmt ?? '/proc/sys/fs/binfmt_misc')
      ? { works: false, reason: 'detached' }
      : { works: true };
  } finally {
    rmSync(file, { force: true });
  }
}

function run(file: string, w: Wait): Promise<'ran' | 'refused' | 'denied'> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, [], { stdio: 'ignore', env: {}, signal: w.signal });
    const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE_MS);
    child.once('error', (error) => {
      clearTimeout(timer);
      if (hasErrno(error, 'EACCES', 'EPERM')) resolve('denied');
      else if (w.signal?.aborted === true) reject(error);
      // ENOENT: the emulator that the kernel was told of is not there.
      else resolve('refused');
    });
    child.once('exit', (code) => {
      clearTimeout(timer);
      resolve(code === 0 ? 'ran' : 'refused');
    });
  });
}

const PATIENCE_MS = 10_000;

/** One loadable segment with the headers and the code. */
export function smallestProgram({ bits, bigEndian = false, number, flags, code }: Machine): Buffer {
  const wide = bits === 64;
  const text = Buffer.from(code.replaceAll(' ', ''), 'hex');
  const [headerSize, segmentSize] = wide ? [64, 56] : [52, 32];
  const start = headerSize + segmentSize;
  const at = 0x10000;
  const file = Buffer.alloc(start + text.length);
  const put = (offset: number, width: number, value: number): void => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(BigInt(value));
    const field = bytes.subarray(0, width);
    file.set(bigEndian ? field.toReversed() : field, offset);
  };
  const size = wide ? 8 : 4;
  file.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, bigEndian ? 2 : 1, 1]);
  put(16, 2, 2);
  put(18, 2, number);
  put(20, 4, 1);
  put(24, size, at + start);
  put(24 + size, size, headerSize);
  put(24 + 3 * size, 4, flags);
  put(28 + 3 * size, 2, headerSize);
  put(30 + 3 * size, 2, segmentSize);
  put(32 + 3 * size, 2, 1);
  put(headerSize, 4, 1);
  const READ_EXECUTE = 5;
  const fields = wide
    ? ([
        [4, 4, READ_EXECUTE],
        [8, 8, 0],
        [16, 8, at],
        [24, 8, at],
        [32, 8, file.length],
        [40, 8, file.length],
        [48, 8, 0x10000],
      ] as const)
    : ([
        [4, 4, 0],
        [8, 4, at],
        [12, 4, at],
        [16, 4, file.length],
        [20, 4, file.length],
        [24, 4, READ_EXECUTE],
        [28, 4, 0x10000],
      ] as const);
  for (const [offset, width, value] of fields) put(headerSize + offset, width, value);
  text.copy(file, start);
  return file;
}

/** True when the kernel runs this by an emulator that it looks for in the step's root: its entry lacks the flag F (kernel admin-guide binfmt-misc.rst). */
function isDetached(program: Buffer, folder: string): boolean {
  let names: string[];
  try {
    names = readdirSync(folder).filter((name) => name !== 'register' && name !== 'status');
  } catch {
    return false;
  }
  const matching = names.flatMap((name) => {
    const entry = readEntry(join(folder, name));
    return entry?.matches(program) === true ? [entry] : [];
  });
  return matching.length > 0 && matching.every(({ flags }) => !flags.includes('F'));
}

function readEntry(path: string): { readonly flags: string; matches(program: Buffer): boolean } | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
  const field = (name: string): string => new RegExp(`^${name}:? ?(.*)$`, 'm').exec(text)?.[1] ?? '';
  const magic = Buffer.from(field('magic'), 'hex');
  if (!text.startsWith('enabled') || magic.length === 0) return undefined;
  const mask = Buffer.from(field('mask'), 'hex');
  const offset = Number(field('offset') || '0');
  return {
    flags: field('flags'),
    matches: (program) =>
      magic.every((byte, i) => ((program[offset + i] ?? 0) & (mask[i] ?? 0xff)) === (byte & (mask[i] ?? 0xff))),
  };
}

/** For tests: the smallest programs by architecture. */
export function programOf(architecture: string): Buffer | undefined {
  const machine = MACHINES[architecture];
  return machine && smallestProgram(machine);
}
