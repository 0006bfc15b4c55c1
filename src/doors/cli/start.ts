import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type * as sea from 'node:sea';
import { constants, Script } from 'node:vm';
import { collectLess } from './collect-less.ts';
import { homeFolder } from './home-folder.ts';
import { versionLine } from './version.ts';

declare const STRAKE_PROGRAM: string;

/** What a script in CommonJS is called with. */
type Wrapper = (exports: object, require: NodeJS.Require, module: object, filename: string, dirname: string) => void;

/**
 * The entry of the bundle. Runs `program.cjs` with the code that V8 has compiled for it before, so that starting costs no compilation (a third of the time of a small build). The code is kept beside the bundle, where its
 * build puts it, or with this user's caches where the bundle cannot be written to or is for another V8; named by the program's digest, because V8 itself compares no more of the source than its length.
 */
const here = import.meta.dirname;
const argv = process.argv.slice(2);
const program = embedded();
if (argv.length === 1 && /^(?:version|--version|-v)$/.test(argv[0] ?? '')) process.stdout.write(`${versionLine()}\n`);
else run();

/** What is kept apart, since each runs other code: builds here, builds on a daemon, and daemons. Other commands use the first. */
function kindOf(): '' | '-on' | '-daemon' {
  const { argv0, env } = process;
  if (argv[0] === 'daemon' || /(?:^|\/)buildkitd$/.test(argv0)) return '-daemon';
  const isBuild = argv[0] === 'build' || argv[0] === 'bake';
  return isBuild && (!!env['STRAKE_ON'] || argv.some((arg) => /^--on(?:=|$)/.test(arg))) ? '-on' : '';
}

function run(): void {
  const filename = join(here, 'program.cjs');
  const keeps = process.env['STRAKE_KEEP_CODE'] === '1';
  const kind = kindOf();
  // Code that was compiled under other flags is not taken.
  if (kind === '-daemon') collectLess();
  const name = `program-${STRAKE_PROGRAM}`;
  const own = join(here, `${name}${kind}.code`);
  const { XDG_CACHE_HOME: caches } = process.env;
  const users = join(
    caches?.startsWith('/') ? caches : join(homeFolder(), '.cache'),
    `strake/${name}${kind}-${process.versions.v8}-${process.arch}.code`,
  );
  const text = program ? program.getAsset('program.cjs', 'latin1') : readFileSync(filename, 'latin1');
  const source = `(function(exports,require,module,__filename,__dirname){${text}\n})`;
  let script: Script | undefined;
  let from: string | undefined;
  // What is to be kept holds nothing of another kind.
  const others = kind === '' || keeps ? [] : [join(here, `${name}.code`)];
  for (const path of [own, users, ...others]) {
    const cachedData = program && path === own ? embeddedCode(program, kind) : readIfThere(path);
    if (cachedData === undefined) continue;
    script = compile(source, filename, cachedData);
    from = path;
    if (!script.cachedDataRejected) break;
    script = undefined;
  }
  const known = script !== undefined && from !== others[0];
  const ran = script ?? compile(source, filename);
  // Only a build or a daemon runs most of what there is to keep.
  if ((!known && !program && (argv[0] === 'build' || kind !== '')) || keeps)
    process.on('exit', () => keep(ran.createCachedData(), [own, users]));
  const module = { exports: {} };
  (ran.runInThisContext() as Wrapper)(
    module.exports,
    program ? embeddedRequire(program) : require,
    module,
    filename,
    here,
  );
}

/** What a single executable has in it besides this file: the rest of the bundle. */
type Embedded = Pick<typeof sea, 'getAsset' | 'getRawAsset'>;

function embedded(): Embedded | undefined {
  const module = process.getBuiltinModule('node:sea');
  return module.isSea() ? module : undefined;
}

function embeddedCode(from: Embedded, kind: string): Buffer | undefined {
  try {
    return Buffer.from(from.getRawAsset(`program${kind}.code`));
  } catch {
    return undefined;
  }
}

/** The bundle's own files by `./`, Node's modules by their names. */
function embeddedRequire(from: Embedded): NodeJS.Require {
  const load = (name: string): unknown => {
    if (!name.startsWith('./')) return require(name);
    const module = { exports: {} };
    const source = `(function(exports,require,module){${from.getAsset(name.slice(2), 'utf8')}\n})`;
    (new Script(source, { filename: name }).runInThisContext() as Wrapper)(
      module.exports,
      load as NodeJS.Require,
      module,
      name,
      here,
    );
    return module.exports;
  };
  return load as NodeJS.Require;
}

function compile(source: string, filename: string, cachedData?: Buffer): Script {
  return new Script(source, {
    filename,
    ...(cachedData && { cachedData }),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** At the first of these paths that can be written; at none, it is not kept. */
function keep(code: Buffer, paths: readonly string[]): void {
  for (const path of paths) {
    const fresh = `${path}.${process.pid}`;
    try {
      if (path !== paths[0]) mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(fresh, code, { flag: 'wx', mode: 0o644 });
      renameSync(fresh, path);
      return;
    } catch {
      rmSync(fresh, { force: true });
    }
  }
}
