/**
 * Bundles the program into dist/: `main.js`, a small entry that turns the compile cache on, chunks that commands load as they need them, and `strake.js`, which npm's `bin` names and which starts `main.js` on the Node that
 * the project pins. Written beside and moved into place, so that whoever runs the old bundle is not hurt.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { build, type Metafile, type PluginBuild } from 'esbuild';

const root = join(import.meta.dirname, '..');
const out = join(root, 'dist');
const fresh = join(root, `.dist-${process.pid}`);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
rmSync(fresh, { recursive: true, force: true });
try {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { main: 'src/doors/cli/main.ts', 'codec-worker': 'src/tree/codec-worker.ts' },
    outdir: fresh,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node26',
    minifySyntax: true,
    minifyWhitespace: true,
    legalComments: 'none',
    loader: { '.wasm': 'binary' },
    chunkNames: 'chunks/[name]-[hash]',
    define: { STRAKE_VERSION: JSON.stringify(version), STRAKE_COMMIT: JSON.stringify(commit()) },
    // Packages in CommonJS call for Node's modules by `require`.
    banner: { js: "import{createRequire as __cr}from'node:module';const require=__cr(import.meta.url);" },
    plugins: [{ name: 'own-modules', setup: pureModules }],
    metafile: true,
    logLevel: 'warning',
  });
  checkLazy(metafile.outputs);
  cpSync(join(root, 'scripts/strake-shim.js'), join(fresh, 'strake.js'));
  chmodSync(join(fresh, 'strake.js'), 0o755);
  replace();
} catch (error) {
  // What esbuild found wrong it has shown already.
  if (!(error instanceof Error && 'errors' in error)) throw error;
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

/** The commit that the sources are of; empty where that is not known or they were changed since. */
function commit(): string {
  const git = (...args: string[]): string | undefined => {
    const { status, stdout } = spawnSync('git', ['-C', root, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return status === 0 ? stdout.trim() : undefined;
  };
  if (git('rev-parse', '--show-toplevel') !== root) return '';
  const id = git('rev-parse', '--short=10', 'HEAD') ?? '';
  return id !== '' && git('status', '--porcelain', '--untracked-files=no', '--', 'src') !== '' ? `${id}+` : id;
}

/** Our own modules do nothing by being loaded: what a chunk does not use of them stays out of it. */
function pureModules(builder: PluginBuild): void {
  builder.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir, kind }) =>
    kind === 'entry-point' ? undefined : { path: join(resolveDir, path), sideEffects: false },
  );
}

/** `version` and help must not load what only builds need. */
function checkLazy(outputs: Metafile['outputs']): void {
  const reached = new Set<string>();
  const reach = (path: string): void => {
    if (reached.has(path)) return;
    reached.add(path);
    for (const { path: next, kind } of outputs[path]?.imports ?? [])
      if (kind === 'import-statement' && outputs[next]) reach(next);
  };
  const start = Object.keys(outputs).find((path) => path.endsWith('/main.js'));
  const help = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === 'src/doors/cli/run-process.ts');
  for (const path of [start, help]) if (path !== undefined) reach(path);
  for (const path of reached)
    for (const input of Object.keys(outputs[path]?.inputs ?? {}))
      if (/undici|src\/(engine|worker|registry|packages|tree|exec|snapshot)\//.test(input))
        throw new Error(`${input} is loaded by every command`);
}

/** Puts the new bundle in the old one's place, also when somebody else is just doing the same. */
function replace(): void {
  const old = join(root, `.dist-${process.pid}-old`);
  for (let attempt = 0; ; attempt++) {
    rmSync(old, { recursive: true, force: true });
    try {
      if (existsSync(out)) renameSync(out, old);
      renameSync(fresh, out);
      break;
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
  rmSync(old, { recursive: true, force: true });
}
