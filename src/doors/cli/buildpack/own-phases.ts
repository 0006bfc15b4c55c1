import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { walkFolder, type FileTree } from '../../../tree/index.ts';
import { linkageOf, type Linkage } from './elf.ts';
import { movedLoader } from './moved-program.ts';

/** Where a builder has its lifecycle. */
const HOME = '/cnb/lifecycle';

/** What of the bundle the phases are made of. */
const BUNDLE = ['main.cjs', 'program.cjs', 'undici.cjs', 'codec-worker.js'];

/** `#!` takes one argument. What this program starts again as another part of itself comes by its own word ("__step"). */
const SCRIPT = `#!${HOME}/node --disable-warning=ExperimentalWarning
const name = process.argv[1].replace(/^.*\\//, '');
if (!(process.argv[2] ?? '').startsWith('__')) process.argv.splice(2, 0, 'lifecycle', ...(name === 'lifecycle' ? [] : [name]));
require('./main.cjs');
`;

/**
 * The running program as the lifecycle of a builder: a tree for `/cnb/lifecycle`, whose `lifecycle` is every phase by the name that it is called by. It brings Node, the dynamic loader and the libraries, so that the builder
 * needs none of them. Or why there is none.
 */
export async function ownPhases(folder: string): Promise<FileTree | string> {
  mkdirSync(join(folder, 'lib'), { recursive: true });
  const isOneFile = process.getBuiltinModule('node:sea').isSea();
  const lacks = layProgram(folder, isOneFile ? 'lifecycle' : 'node') ?? (isOneFile ? undefined : layBundle(folder));
  return lacks ?? (await walkFolder(folder, { xattrs: () => false }));
}

function layBundle(folder: string): string | undefined {
  const own = import.meta.dirname;
  const bundle = import.meta.url.endsWith('.ts') ? join(own, '../../../../dist') : own;
  const missing = BUNDLE.find((name) => !existsSync(join(bundle, name)));
  if (missing !== undefined) return `the bundle "${bundle}" has no ${missing}`;
  for (const name of BUNDLE) copyFileSync(join(bundle, name), join(folder, name));
  writeFileSync(join(folder, 'lifecycle'), SCRIPT, { mode: 0o755 });
  return undefined;
}

/** This process's executable with the libraries it has now, set to look for them where they will be. */
function layProgram(folder: string, name: string): string | undefined {
  const mapped = mappedFiles();
  const executable = linkageAt(process.execPath);
  const { interpreter } = executable ?? {};
  if (!executable || !interpreter) return `"${process.execPath}" is no program for a dynamic loader`;
  const moved = `${HOME}/ld.so`;
  if (moved.length >= interpreter.size) return `"${process.execPath}" has no room for the name of another loader`;
  const loader = mapped.find((path) => /\/ld[^/]*\.so[.\d]*$/.test(path));
  if (loader === undefined) return 'its dynamic loader is not known';
  const libraries = librariesOf(executable, mapped);
  if (typeof libraries === 'string') return `its library ${libraries} is not known`;
  try {
    writeFileSync(join(folder, 'ld.so'), movedLoader(readFileSync(loader), HOME), { mode: 0o755 });
  } catch (error) {
    return (error as Error).message;
  }
  for (const [soname, path] of libraries) copyFileSync(path, join(folder, 'lib', soname));
  const path = join(folder, name);
  copyFileSync(process.execPath, path, constants.COPYFILE_FICLONE);
  const fd = openSync(path, 'r+');
  try {
    // An executable with a program in it has that behind what is loaded.
    if (name === 'node') dropSections(fd, executable.end);
    const text = Buffer.alloc(interpreter.size);
    text.write(moved, 'latin1');
    writeSync(fd, text, 0, text.length, interpreter.offset);
  } finally {
    closeSync(fd);
  }
  return undefined;
}

/** Symbols for debuggers are a fifth of Node. */
function dropSections(fd: number, end: number): void {
  ftruncateSync(fd, end);
  // e_shoff; e_shnum and e_shstrndx.
  writeSync(fd, Buffer.alloc(8), 0, 8, 40);
  writeSync(fd, Buffer.alloc(4), 0, 4, 60);
}

/** What an executable needs, and what that needs, by the names asked for; else the name of the one that is not there. glibc opens the last three by itself, where it has them apart. */
function librariesOf(executable: Linkage, mapped: readonly string[]): ReadonlyMap<string, string> | string {
  const known = new Map(
    mapped.flatMap((path) => {
      const linkage = linkageAt(path);
      return linkage?.soname === undefined ? [] : [[linkage.soname, { path, linkage }] as const];
    }),
  );
  const found = new Map<string, string>();
  const wanted = [...executable.needed];
  for (let name = wanted.shift(); name !== undefined; name = wanted.shift()) {
    // The loader is a library, too.
    if (found.has(name) || name.startsWith('ld-linux')) continue;
    const library = known.get(name);
    if (!library) return name;
    found.set(name, library.path);
    wanted.push(...library.linkage.needed);
  }
  const libc = found.get('libc.so.6');
  for (const name of ['libresolv.so.2', 'libnss_files.so.2', 'libnss_dns.so.2']) {
    const path = join(dirname(libc ?? '/'), name);
    if (!found.has(name) && existsSync(path)) found.set(name, path);
  }
  return found;
}

function linkageAt(path: string): Linkage | undefined {
  const fd = openSync(path, 'r');
  try {
    return linkageOf(fd);
  } finally {
    closeSync(fd);
  }
}

/** Files that this process runs code of, by proc(5). */
function mappedFiles(): readonly string[] {
  const lines = readFileSync('/proc/self/maps', 'latin1').split('\n');
  const paths = lines.flatMap((line) => /^\S+ \S+ \S+ \S+ \S+ +(\/.*)$/.exec(line)?.[1] ?? []);
  return [...new Set(paths)].filter((path) => /\.so[.\d]*$/.test(path) && existsSync(path));
}
