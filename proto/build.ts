/** `npm run build:proto`: makes src/wire/gen from the .proto files here, with Debian's protoc and protoc-gen-es. `--check` compares instead of writing. */
import { spawnSync } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';

const folder = import.meta.dirname;
const generated = join(folder, '../src/wire/gen');

/** Generated files by their path, as one string each. */
function contents(root: string): ReadonlyMap<string, string> {
  const paths = globSync('**/*.ts', { cwd: root }).sort();
  return new Map(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
}

function generate(out: string): void {
  const sources = globSync('**/*.proto', { cwd: folder }).sort();
  const options = 'target=ts,erasable_syntax=true,import_extension=ts';
  const { status, error } = spawnSync('protoc', [`-I${folder}`, `--es_out=${out}`, `--es_opt=${options}`, ...sources], {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, PATH: [join(folder, '../node_modules/.bin'), process.env['PATH']].join(delimiter) },
  });
  if (error) throw new Error('protoc cannot be run: apt-get install protobuf-compiler', { cause: error });
  if (status !== 0) throw new Error(`protoc ended with ${status}`);
}

/** Paths whose kept content is not what the .proto files give. */
export function stale(): readonly string[] {
  const out = mkdtempSync(join(tmpdir(), 'strake-proto-'));
  try {
    generate(out);
    const [made, kept] = [contents(out), contents(generated)];
    return [...new Set([...made.keys(), ...kept.keys()])].filter((path) => made.get(path) !== kept.get(path)).sort();
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  if (process.argv.includes('--check')) {
    const differing = stale();
    for (const path of differing) console.error(`src/wire/gen/${path} is not what proto/ gives: npm run build:proto`);
    process.exit(differing.length === 0 ? 0 : 1);
  }
  mkdirSync(dirname(generated), { recursive: true });
  const out = mkdtempSync(join(dirname(generated), '.gen-'));
  try {
    generate(out);
    rmSync(generated, { recursive: true, force: true });
    // Made for nobody else to see.
    chmodSync(out, 0o755);
    renameSync(out, generated);
  } finally {
    rmSync(out, { recursive: true, force: true });
  }
}
