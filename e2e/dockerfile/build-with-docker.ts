import { spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './case-file.ts';
import { describeArchive } from './describe-image.ts';
import type { Golden } from './golden.ts';
import { argumentsOf, warningsOf, type PlacedCase } from './placed-case.ts';

/** The words that call docker (`STRAKE_DOCKER`), and where it sees this machine's files (`STRAKE_DOCKER_HOST`, nothing when it is the same root). */
const DOCKER = (process.env['STRAKE_DOCKER'] ?? 'docker').split(' ');
const HOST = process.env['STRAKE_DOCKER_HOST'] ?? '';

export function docker(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { code: number; stdout: string; stderr: string } {
  const [program = '', ...before] = DOCKER;
  const done = spawnSync(program, [...before, ...args], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
    env: { ...process.env, ...env },
  });
  return { code: done.status ?? 1, stdout: done.stdout, stderr: done.stderr };
}

async function dockerBuild(args: readonly string[]): Promise<{ code: number; stderr: string }> {
  const [program = '', ...before] = DOCKER;
  const child = spawn(program, [...before, 'buildx', 'build', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 1, stderr }));
  });
}

/** Builds a case with BuildKit and says what came of it. */
export async function buildWithDocker(one: Case, placed: PlacedCase): Promise<Golden & { readonly said: string }> {
  const archive = join(placed.folder, 'docker.tar');
  rmSync(archive, { force: true });
  const outside = (path: string): string => HOST + path;
  const output = `type=oci,dest=${outside(archive)}${one.output === undefined ? '' : `,${one.output}`}`;
  const { code, stderr } = await dockerBuild([
    '--provenance=false',
    '--sbom=false',
    '--no-cache',
    '--progress=rawjson',
    ...argumentsOf(one, placed, outside),
    '-o',
    output,
    outside(placed.context),
  ]);
  const warnings = warningsOf(stderr);
  const told = { ...(warnings.length > 0 ? { warnings } : {}), said: stderr };
  if (code === 0 && existsSync(archive)) return { ...told, ...(await describeArchive(archive, placed.scratch)) };
  const at = stderr.lastIndexOf('ERROR: ');
  const text = (at < 0 ? stderr : (stderr.slice(at + 'ERROR: '.length).split('\n')[0] ?? ''))
    .replaceAll(outside(placed.folder), '')
    .replaceAll(/127\.0\.0\.1:\d+/g, '127.0.0.1:PORT')
    .trim();
  const line = /dockerfile parse error on line (\d+)/.exec(text)?.[1] ?? /^ *Dockerfile:(\d+)$/m.exec(stderr)?.[1];
  return { ...told, error: { text, ...(line === undefined ? {} : { line: Number(line) }) } };
}
