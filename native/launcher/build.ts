/** `npm run build:launcher`: makes launcher-x64 and launcher-arm64 from src/ with strake itself (Dockerfile), and digests.json beside them. `--check` compares instead of writing. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const LAUNCHERS = ['launcher-x64', 'launcher-arm64'] as const;

export interface LauncherDigests {
  /** Of everything that the binaries are made from: `sourceDigest`. */
  readonly source: string;
  /** How the compilers call themselves. */
  readonly compilers: readonly string[];
  /** Name of a binary -> its sha256 in hexadecimal. */
  readonly binaries: Readonly<Record<string, string>>;
}

/** Exit code of `--check` where Debian's compilers are not those that the kept binaries were made by. */
export const OTHER_COMPILERS = 3;

const folder = import.meta.dirname;

export function sha256(content: Uint8Array | string): string {
  return createHash('sha256').update(content).digest('hex');
}

/** One digest of the Dockerfile, compile.sh and src/: of lines as sha256sum writes them. */
export function sourceDigest(): string {
  const sources = readdirSync(join(folder, 'src')).sort();
  const files = ['Dockerfile', 'compile.sh', ...sources.map((name) => `src/${name}`)];
  return sha256(files.map((name) => `${sha256(readFileSync(join(folder, name)))}  ${name}\n`).join(''));
}

/** Runs the build; file name -> content. */
function remade(): ReadonlyMap<string, Uint8Array> {
  const out = mkdtempSync(join(tmpdir(), 'strake-launcher-'));
  try {
    const strake = join(folder, '../../strake');
    const { status } = spawnSync(strake, ['build', '-o', `type=local,dest=${out}`, folder], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (status !== 0) throw new Error(`strake build ${folder} ended with ${status}`);
    const read = (name: string): Uint8Array => readFileSync(join(out, name));
    const digests: LauncherDigests = {
      source: sourceDigest(),
      compilers: Buffer.from(read('compilers')).toString().trimEnd().split('\n'),
      binaries: Object.fromEntries(LAUNCHERS.map((name) => [name, sha256(read(name))])),
    };
    return new Map([
      ...LAUNCHERS.map((name) => [name, read(name)] as const),
      ['digests.json', Buffer.from(`${JSON.stringify(digests, undefined, 2)}\n`)] as const,
    ]);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const check = process.argv.includes('--check');
  const files = remade();
  const compilers = (content: Uint8Array | undefined): string =>
    (JSON.parse(Buffer.from(content ?? []).toString()) as LauncherDigests).compilers.join(', ');
  const [kept, now] = [readFileSync(join(folder, 'digests.json')), files.get('digests.json')].map(compilers);
  if (check && kept !== now) {
    console.error(`The launchers were made by ${kept}. Debian has other compilers now: ${now}`);
    process.exit(OTHER_COMPILERS);
  }
  for (const [name, content] of files) {
    const file = join(folder, name);
    if (!check) {
      writeFileSync(file, content);
      if (name !== 'digests.json') chmodSync(file, 0o755);
    } else if (!readFileSync(file).equals(content)) {
      console.error(`native/launcher/${name} is not what its sources give: run npm run build:launcher`);
      process.exitCode = 1;
    }
  }
}
