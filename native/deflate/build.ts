/** Makes deflate.wasm from assembly/deflate.ts, its digest beside it, and the module that carries it inside the program (src/tree/deflate-wasm.ts). `--check` compares instead of writing. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Compiler = (
  args: readonly string[],
  files: {
    readFile(name: string): string | null;
    writeFile(name: string, content: Uint8Array | string): void;
    listFiles(): string[];
  },
) => Promise<{ error: Error | null; stderr: { toString(): string } }>;

/** The compiled module, always the same bytes for one version of the compiler. */
export async function compile(): Promise<Uint8Array> {
  // Not by a literal: the compiler's types would declare its own `console` and `WebAssembly` for the whole project.
  const specifier: string = 'assemblyscript/asc';
  const { main } = (await import(specifier)) as { main: Compiler };
  const source = readFileSync(join(import.meta.dirname, 'assembly/deflate.ts'), 'utf8');
  let wasm: Uint8Array | undefined;
  const { error, stderr } = await main(
    [
      'deflate.ts',
      '--outFile',
      'deflate.wasm',
      '--runtime',
      'stub',
      '--noAssert',
      '-O3',
      '--converge',
      '--initialMemory',
      '48',
      '--maximumMemory',
      '48',
    ],
    {
      readFile: (name: string) => (name === 'deflate.ts' ? source : null),
      writeFile: (name: string, content: Uint8Array | string) => {
        if (name === 'deflate.wasm' && typeof content !== 'string') wasm = content;
      },
      listFiles: () => [],
    },
  );
  if (error || !wasm) throw new Error(`compile deflate.ts: ${String(stderr)}`, { cause: error });
  return wasm;
}

/** The three files made from a module, by path below the project's root. */
export function filesOf(wasm: Uint8Array): ReadonlyMap<string, string | Uint8Array> {
  const hex = createHash('sha256').update(wasm).digest('hex');
  const text = Buffer.from(wasm).toString('base64');
  const lines = text.match(/.{1,110}/g) ?? [];
  return new Map<string, string | Uint8Array>([
    ['native/deflate/deflate.wasm', wasm],
    ['native/deflate/deflate.wasm.sha256', `${hex}  deflate.wasm\n`],
    [
      'src/tree/deflate-wasm.ts',
      `/** Made by native/deflate/build.ts from native/deflate/assembly/deflate.ts: do not edit. */\nexport const DEFLATE_WASM: string =\n${lines.map((line) => `  '${line}'`).join(' +\n')};\n`,
    ],
  ]);
}

if (import.meta.main) {
  const root = join(import.meta.dirname, '../..');
  for (const [path, content] of filesOf(await compile())) {
    const file = join(root, path);
    if (!process.argv.includes('--check')) writeFileSync(file, content);
    else if (!readFileSync(file).equals(Buffer.from(content))) {
      console.error(`${path} is not what assembly/deflate.ts gives: run npm run build:deflate`);
      process.exitCode = 1;
    }
  }
}
