/**
 * Run while the image is built (Dockerfile beside this), with Debian's packages around it: makes `<out>/root`, what the image holds, and `<out>/busybox`, the shell of its debug variant.
 *
 * The interpreter of the Node binary and the places where that looks for libraries are set by hand, each in the bytes that it had: patchelf moves what it changes, and Node's own `--build-sea`, which comes after it, loses track of what was moved
 * (the result does not start).
 */
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { movedLoader, replaced } from '../../src/doors/cli/buildpack/moved-program.ts';

const [parts = '', out = ''] = process.argv.slice(2);
const root = join(out, 'root');
const HOME = '/strake';
const LOADER = `${HOME}/lib/ld.so`;

const { interpreter, libraries } = linkage(join(parts, 'node'));
for (const folder of ['lib', 'ssl/certs', 'store', 'tmp']) mkdirSync(join(root, HOME, folder), { recursive: true });
for (const [name, path] of libraries) copyFileSync(realpathSync(path), join(root, HOME, 'lib', name));
writeFileSync(join(root, LOADER), movedLoader(readFileSync(interpreter), HOME), { mode: 0o755 });
const moved = replaced(readFileSync(join(parts, 'stripped')), [[interpreter, LOADER, '\0']]);
writeFileSync(join(out, 'node'), moved, { mode: 0o755 });
single(join(out, 'node'), join(root, HOME, 'strake'));
chmodSync(join(root, HOME, 'tmp'), 0o1777);
// What app images get, beside the program, as beside the bundle.
cpSync(join(parts, 'bundle/launchers'), join(root, HOME, 'launchers'), { recursive: true });
copyFileSync('/etc/ssl/certs/ca-certificates.crt', join(root, HOME, 'ssl/certs/ca-certificates.crt'));
for (const name of ['executor', 'warmer']) symlinkSync('strake', join(root, HOME, name));
mkdirSync(join(root, 'kaniko/.docker'), { recursive: true });
for (const name of ['executor', 'warmer']) symlinkSync(`${HOME}/strake`, join(root, 'kaniko', name));
symlinkSync(`${HOME}/ssl`, join(root, 'kaniko/ssl'));
// As every distribution has it: what Kubernetes mounts below it is not in a build's way then.
mkdirSync(join(root, 'var'));
mkdirSync(join(root, 'run'));
symlinkSync('/run', join(root, 'var/run'));
shell(join(out, 'busybox'));

/** The loader and the libraries of a program, by the names that it asks for. */
function linkage(program: string): { readonly interpreter: string; readonly libraries: ReadonlyMap<string, string> } {
  const said = text('ldd', [program]);
  const found = new Map<string, string>();
  for (const [, name = '', path = ''] of said.matchAll(/^\s*(\S+) => (\/\S+)/gm)) found.set(name, path);
  const interpreter = /^\s*(\/\S*ld-linux\S*) /m.exec(said)?.[1];
  if (interpreter === undefined || found.size === 0) throw new Error(`find the libraries of ${program}: ${said}`);
  return { interpreter, libraries: found };
}

/** A program that is Node and strake in one file (https://nodejs.org/api/single-executable-applications.html). */
function single(executable: string, output: string): void {
  const bundle = join(parts, 'bundle');
  const assets: Record<string, string> = {};
  for (const name of ['program.cjs', 'undici.cjs', 'codec-worker.js'])
    if (existsSync(join(bundle, name))) assets[name] = join(bundle, name);
  for (const name of readdirSync(bundle)) {
    const [, kind] = /^program-[0-9a-f]+(|-on|-daemon)\.code$/.exec(name) ?? [];
    if (kind !== undefined) assets[`program${kind}.code`] = join(bundle, name);
  }
  const execArgv = ['--disable-warning=ExperimentalWarning'];
  const config = {
    main: join(bundle, 'main.cjs'),
    output,
    executable,
    disableExperimentalSEAWarning: true,
    execArgv,
    assets,
  };
  writeFileSync(join(out, 'sea.json'), JSON.stringify(config));
  process.stdout.write(text(join(parts, 'node'), ['--build-sea', join(out, 'sea.json')]));
}

/** Busybox under all its names. */
function shell(folder: string): void {
  mkdirSync(folder);
  const program = ['/bin/busybox', '/usr/bin/busybox'].find((path) => existsSync(path)) ?? '';
  copyFileSync(program, join(folder, 'busybox'));
  for (const name of text(program, ['--list']).split('\n').filter(Boolean))
    if (name !== 'busybox') symlinkSync('busybox', join(folder, name));
}

function text(program: string, args: readonly string[]): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}
