import { createRequire } from 'node:module';
import type * as ffi from 'node:ffi';

type Arg = Buffer | number | bigint | null;

/** One C function of libc by a short name. Loaded on first use: a command that needs no system call pays nothing. */
export function call(name: keyof typeof SIGNATURES | 'errno', ...args: Arg[]): number {
  loaded ??= load();
  if (name === 'errno') return loaded.errno();
  return Number((loaded.functions[name] as (...a: Arg[]) => number | bigint)(...args.map(widen(name))));
}

const INT = 'int32';
const LONG = 'int64';
const PTR = 'pointer';
const SIGNATURES = {
  mount: { symbol: 'mount', types: [PTR, PTR, PTR, LONG, PTR] },
  umount2: { symbol: 'umount2', types: [PTR, INT] },
  unshare: { symbol: 'unshare', types: [INT] },
  mknod: { symbol: 'mknod', types: [PTR, INT, LONG] },
  lgetxattr: { symbol: 'lgetxattr', types: [PTR, PTR, PTR, LONG], returns: LONG },
  llistxattr: { symbol: 'llistxattr', types: [PTR, PTR, LONG], returns: LONG },
  lsetxattr: { symbol: 'lsetxattr', types: [PTR, PTR, PTR, LONG, INT] },
  lremovexattr: { symbol: 'lremovexattr', types: [PTR, PTR] },
  utimensat: { symbol: 'utimensat', types: [INT, PTR, PTR, INT] },
  flock: { symbol: 'flock', types: [INT, INT] },
  ioctl: { symbol: 'ioctl', types: [INT, LONG, LONG] },
  copy_file_range: { symbol: 'copy_file_range', types: [INT, PTR, INT, PTR, LONG, INT], returns: LONG },
  renameat2: { symbol: 'renameat2', types: [INT, PTR, INT, PTR, INT] },
  syncfs: { symbol: 'syncfs', types: [INT] },
  close: { symbol: 'close', types: [INT] },
  chroot: { symbol: 'chroot', types: [PTR] },
  signal: { symbol: 'signal', types: [INT, LONG], returns: LONG },
  sigprocmask: { symbol: 'sigprocmask', types: [INT, PTR, PTR] },
  setrlimit: { symbol: 'setrlimit', types: [INT, PTR] },
  execve: { symbol: 'execve', types: [PTR, PTR, PTR] },
  waitpid: { symbol: 'waitpid', types: [INT, PTR, INT] },
  fcntl: { symbol: 'fcntl', types: [INT, INT, LONG] },
  dup2: { symbol: 'dup2', types: [INT, INT] },
  socket: { symbol: 'socket', types: [INT, INT, INT] },
  bind: { symbol: 'bind', types: [INT, PTR, INT] },
  listen: { symbol: 'listen', types: [INT, INT] },
  accept4: { symbol: 'accept4', types: [INT, PTR, PTR, INT] },
  recvmsg: { symbol: 'recvmsg', types: [INT, PTR, INT], returns: LONG },
  prctl: { symbol: 'prctl', types: [INT, LONG, LONG, LONG, LONG] },
  syscall: { symbol: 'syscall', types: [LONG, LONG, LONG, LONG, LONG, LONG, LONG], returns: LONG },
} as const;

type Functions = Record<string, (...a: never[]) => number | bigint>;
interface Loaded {
  readonly functions: Functions;
  readonly errno: () => number;
  readonly pointer: (buffer: Buffer) => bigint;
}

let loaded: Loaded | undefined;

function load(): Loaded {
  const { DynamicLibrary, getInt32, getRawPointer } = createRequire(import.meta.url)('node:ffi') as typeof ffi;
  const libc = new DynamicLibrary('libc.so.6');
  const functions: Functions = {};
  for (const [name, signature] of Object.entries(SIGNATURES) as [
    string,
    { symbol: string; types: readonly string[]; returns?: string },
  ][])
    functions[name] = libc.getFunction(signature.symbol, {
      return: (signature.returns ?? INT) as 'int32',
      arguments: signature.types as ['int32'],
    });
  const location = libc.getFunction('__errno_location', { return: 'pointer', arguments: [] });
  return { functions, errno: () => getInt32(location()), pointer: getRawPointer };
}

/** 64-bit parameters are given as BigInt; a buffer or NULL given for one (a raw system call's) goes as its address. */
function widen(name: keyof typeof SIGNATURES): (arg: Arg, index: number) => Arg {
  const types = SIGNATURES[name].types as readonly string[];
  return (arg, index) => {
    if (types[index] !== LONG) return arg;
    if (arg === null) return 0n;
    return typeof arg === 'object' ? (loaded as Loaded).pointer(arg) : BigInt(arg);
  };
}
