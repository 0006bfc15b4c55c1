import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { rootWith } from './buildkitd.ts';
import { CHECKOUT, ok } from './strake.ts';

/** Where the images of the frontend and of what it is built on go by their names. */
export const FRONTEND = 'example.org/appfile:1';
export const NODE = 'example.org/node:26';
export const SHELL = 'example.org/shell:1';

/** Builds `examples/appfile-frontend` into the store: the frontend against this checkout's library, on a base that is Node alone; and a base that has a shell, cat and sleep. */
export async function buildAppfileFrontend({
  root,
  work,
}: {
  readonly root: string;
  readonly work: string;
}): Promise<void> {
  const example = join(CHECKOUT, 'examples/appfile-frontend');
  const context = join(work, 'frontend');
  mkdirSync(context, { recursive: true });
  copyFileSync(join(example, 'Dockerfile'), join(context, 'Dockerfile'));
  await build({
    entryPoints: [join(example, 'frontend.ts')],
    outfile: join(context, 'frontend.js'),
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    logLevel: 'error',
    alias: { 'strake/buildkit': join(CHECKOUT, 'src/lib/buildkit.ts') },
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    loader: { '.wasm': 'binary' },
    plugins: [
      {
        name: 'own-modules',
        setup: (builder) =>
          builder.onResolve({ filter: /^\.{1,2}\/.*\.ts$/ }, ({ path, resolveDir, kind }) =>
            kind === 'entry-point' ? undefined : { path: join(resolveDir, path), sideEffects: false },
          ),
      },
    ],
  });
  for (const [name, programs] of [
    [SHELL, ['dash', 'cat', 'sleep']],
    [NODE, [process.execPath]],
  ] as const) {
    const tools = join(work, `tools ${programs.length}`);
    rootWith(tools, programs);
    // BuildKit leaves the folders that it mounts these on.
    for (const stub of ['dev', 'proc', 'sys']) mkdirSync(join(tools, stub));
    const input = 'FROM scratch\nCOPY . /\n';
    await ok(['build', '-f', '-', '-t', name, tools], { root, input });
  }
  await ok(['build', '--build-arg', `NODE=${NODE}`, '-t', FRONTEND, context], { root });
}
