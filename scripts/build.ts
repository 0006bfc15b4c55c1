/**
 * Bundles the program and the library (`library.js`, `buildkit.js`) into dist/: `program.cjs`, all of it; `main.cjs`, which runs it with the compiled code that is kept beside it (src/doors/cli/start.ts); and `strake.js`, which npm's `bin` names and which starts
 * `main.cjs` on the Node that the project pins. Written beside and moved into place, so that whoever runs the old bundle is not hurt.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, type BuildOptions, type Metafile, type PluginBuild } from 'esbuild';

const root = join(import.meta.dirname, '..');
const out = join(root, 'dist');
const fresh = join(root, `.dist-${process.pid}`);
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
rmSync(fresh, { recursive: true, force: true });
const common: BuildOptions = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node26',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  loader: { '.wasm': 'binary' },
  plugins: [{ name: 'own-modules', setup: pureModules }],
  logLevel: 'warning',
};
const versions = { STRAKE_VERSION: JSON.stringify(version), STRAKE_COMMIT: JSON.stringify(commit()) };
try {
  await checkLazy();
  const script: BuildOptions = {
    ...common,
    format: 'cjs',
    outExtension: { '.js': '.cjs' },
    define: { ...versions, 'import.meta.url': '__url', 'import.meta.dirname': '__dirname' },
    banner: { js: "const __url=require('node:url').pathToFileURL(__filename).href;" },
    outdir: fresh,
    plugins: [
      { name: 'own-modules', setup: pureModules },
      { name: 'lazy-builtins', setup: lazyBuiltins },
    ],
  };
  // By itself: it is a third of the program, and most commands ask no registry.
  const apart = ['undici'];
  for (const name of apart)
    await build({
      ...common,
      format: 'cjs',
      entryPoints: { [name]: name },
      outExtension: { '.js': '.cjs' },
      outdir: fresh,
    });
  await build({
    ...script,
    entryPoints: { program: 'src/doors/cli/main.ts' },
    supported: { 'dynamic-import': false },
    alias: Object.fromEntries(apart.map((name) => [name, `./${name}.cjs`])),
    external: apart.map((name) => `./${name}.cjs`),
  });
  toAscii(join(fresh, 'program.cjs'));
  const digest = createHash('sha256')
    .update(readFileSync(join(fresh, 'program.cjs')))
    .digest('hex');
  await build({
    ...script,
    entryPoints: { main: 'src/doors/cli/start.ts' },
    define: { ...script.define, STRAKE_PROGRAM: JSON.stringify(digest.slice(0, 16)) },
  });
  await build({ ...common, format: 'esm', entryPoints: { 'codec-worker': 'src/tree/codec-worker.ts' }, outdir: fresh });
  // What the package exports; beside the rest, since it finds the codecs' worker and the program there.
  await build({
    ...common,
    format: 'esm',
    splitting: true,
    packages: 'external',
    define: versions,
    entryPoints: { library: 'src/lib/strake.ts', buildkit: 'src/lib/buildkit.ts' },
    chunkNames: 'library-[hash]',
    outdir: fresh,
  });
  cpSync(join(root, 'scripts/strake-shim.js'), join(fresh, 'strake.js'));
  chmodSync(join(fresh, 'strake.js'), 0o755);
  copyEmbedded();
  await warmUp();
  replace();
} catch (error) {
  // What esbuild found wrong it has shown already.
  if (!(error instanceof Error && 'errors' in error)) throw error;
  process.exitCode = 1;
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

/** esbuild writes strings in ASCII, but not regular expressions and tagged templates; start.ts reads one byte for each character. The same escapes mean the same in these. */
function toAscii(path: string): void {
  const text = readFileSync(path, 'utf8');
  const escape = (char: string): string => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  writeFileSync(path, text.replaceAll(/[^\x00-\x7f]/g, escape));
}

/** What images are built with: the embedded buildpacks, without their tests, and the launchers. */
function copyEmbedded(): void {
  const isTest = (path: string): boolean => path.includes('/tests') || path.endsWith('.test.ts');
  cpSync(join(root, 'buildpacks'), join(fresh, 'buildpacks'), { recursive: true, filter: (path) => !isTest(path) });
  mkdirSync(join(fresh, 'launchers'));
  for (const name of ['launcher-x64', 'launcher-arm64'])
    cpSync(join(root, 'native/launcher', name), join(fresh, 'launchers', name));
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

/**
 * Node's own modules, a quarter of a small build's time, are loaded by our code when a function of theirs is first called; what is no function (a class by its name) loads its module with ours. Those of `fs` are taken as they
 * are: they are called often.
 */
function lazyBuiltins(builder: PluginBuild): void {
  const filter = /^node:/;
  builder.onResolve({ filter }, ({ path, kind, importer }) =>
    (kind === 'import-statement' && !importer.includes('node_modules')) || path === 'node:child_process'
      ? { path, namespace: 'builtin', sideEffects: false }
      : undefined,
  );
  builder.onLoad({ filter, namespace: 'builtin' }, ({ path }) => {
    const real = createRequire(import.meta.url)(path) as Readonly<Record<string, unknown>>;
    const wraps = (name: string): boolean =>
      !path.startsWith('node:fs') && typeof real[name] === 'function' && /^[a-z_]|^ChildProcess$/.test(name);
    const lines = Object.keys(real)
      .filter((name) => /^[a-z_$][\w$]*$/i.test(name) && name !== 'default')
      .map((name) =>
        wraps(name)
          ? `export const ${name} = (...args) => load().${name}(...args);`
          : `export const ${name} = /* @__PURE__ */ (() => load().${name})();`,
      );
    return {
      contents: [`let real; const load = () => (real ??= process.getBuiltinModule("${path}"));`, ...lines].join('\n'),
    };
  });
}

/** Help must not load what only builds need: what is reached without a dynamic import is what would be in its first chunks. */
async function checkLazy(): Promise<void> {
  const { metafile } = await build({
    ...common,
    define: versions,
    entryPoints: { main: 'src/doors/cli/main.ts' },
    splitting: true,
    format: 'esm',
    outdir: fresh,
    write: false,
    metafile: true,
  });
  const outputs: Metafile['outputs'] = metafile?.outputs ?? {};
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
      if (/undici|node_modules\/yaml|src\/(bake|hcl|engine|worker|registry|packages|tree|exec|snapshot)\//.test(input))
        throw new Error(`${input} is loaded by every command`);
}

/** Builds a small image, and finds it again, here and on a daemon, so that the code that most builds and daemons run is compiled and kept. */
async function warmUp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'strake-warm-up-'));
  const env: NodeJS.ProcessEnv = { ...process.env, STRAKE_KEEP_CODE: '1' };
  for (const name of Object.keys(env)) if (name.startsWith('STRAKE_') && name !== 'STRAKE_KEEP_CODE') delete env[name];
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', join(fresh, 'main.cjs')] as const;
  const build = (name: string, ...more: readonly string[]): void => {
    const args = ['build', 'context', '--root', 'store', '-t', 'a', '--progress=plain', ...more];
    for (const attempt of [1, 2]) {
      const output = ['-o', `type=oci,dest=${name}${attempt}.tar`];
      const { status, stderr } = spawnSync(node[0], [...node.slice(1), ...args, ...output], {
        cwd: folder,
        env,
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`the bundle does not build an image: ${stderr}`);
    }
  };
  try {
    mkdirSync(join(folder, 'context/files'), { recursive: true });
    writeFileSync(
      join(folder, 'context/Dockerfile'),
      'FROM scratch\nARG A=b\nCOPY --chmod=755 files /files\nENV C=$A\nCMD ["/x"]\n',
    );
    for (const name of ['one', 'two']) writeFileSync(join(folder, 'context/files', name), name);
    writeFileSync(join(folder, 'daemon.toml'), '');
    build('here');
    const socket = join(folder, 'socket');
    const where = ['--addr', `unix://${socket}`, '--root', join(folder, 'served')];
    const daemon = spawn(node[0], [...node.slice(1), 'daemon', '--config', join(folder, 'daemon.toml'), ...where], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    daemon.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<void>((resolve) => daemon.once('close', () => resolve()));
    try {
      while (!existsSync(socket)) {
        if (daemon.exitCode !== null) throw new Error(`the bundle does not serve: ${said}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      build('there', '--on', `strake+unix://${socket}`);
    } finally {
      daemon.kill('SIGTERM');
      await ended;
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
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
