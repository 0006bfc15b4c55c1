/** `npm run build:capture`: compiles capture.c for each architecture with Debian's compilers (gcc-x86-64-linux-gnu, gcc-aarch64-linux-gnu) and writes src/wire/buildkit/llb/capture-programs.ts. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const folder = import.meta.dirname;
const FILE = join(folder, '../../src/wire/buildkit/llb/capture-programs.ts');
/** By the names that images have for architectures. */
const COMPILERS = { amd64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' } as const;

/** Of what the programs are made from. */
export function captureSource(): string {
  const digest = createHash('sha256');
  for (const name of ['capture.c', 'compile.sh']) digest.update(readFileSync(join(folder, name)));
  return digest.digest('hex');
}

/** How the compilers of this machine call themselves; undefined where there are none. */
export function captureCompilers(): readonly string[] | undefined {
  const found = Object.values(COMPILERS).map((name) => spawnSync(name, ['--version'], { encoding: 'utf8' }));
  if (found.some(({ status }) => status !== 0)) return undefined;
  return found.map(({ stdout }) => stdout.split('\n')[0] ?? '');
}

/** The programs as base64. Needs the compilers. */
export function makeCapture(): Readonly<Record<string, string>> {
  const out = mkdtempSync(join(tmpdir(), 'strake-capture-'));
  try {
    const made = Object.entries(COMPILERS).map(([name, compiler]) => {
      const { status, stderr } = spawnSync(join(folder, 'compile.sh'), [compiler, join(out, name)], {
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`compile.sh ${compiler} ended with ${status}: ${stderr}`);
      return [name, readFileSync(join(out, name), 'base64')] as const;
    });
    return Object.fromEntries(made);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const programs = makeCapture();
  const text = `/** Made by \`npm run build:capture\` from native/capture: programs that keep how another one ends and what it says, by architecture, as base64. */
export const CAPTURE_PROGRAMS: Readonly<Record<string, string>> = ${JSON.stringify(programs, undefined, 2)};

/** What they were made from and by. */
export const CAPTURE_MADE = ${JSON.stringify({ source: captureSource(), compilers: captureCompilers() }, undefined, 2)};
`;
  writeFileSync(FILE, text);
  spawnSync(join(folder, '../../node_modules/.bin/oxfmt'), [FILE], { stdio: 'inherit' });
}
