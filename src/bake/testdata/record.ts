/**
 * Records what Docker's buildx makes of the cases beside this file: `node record.ts COMMAND...`, where COMMAND runs buildx in a folder of this machine that it is given as FOLDER (see README.md). Writes `expected.json`, or
 * `error.txt` where buildx refuses.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const cases = join(import.meta.dirname, 'cases');
const [command = '', ...before] = process.argv.slice(2);
const lines = (path: string, by: RegExp): readonly string[] =>
  existsSync(path) ? readFileSync(path, 'utf8').trim().split(by).filter(Boolean) : [];
for (const name of readdirSync(cases).sort()) {
  const folder = join(cases, name);
  for (const old of ['expected.json', 'error.txt']) rmSync(join(folder, old), { force: true });
  const args = lines(join(folder, 'args'), /\s+/);
  const env = lines(join(folder, 'env'), /\n/);
  const { status, stdout, stderr } = spawnSync(
    command,
    [...before.map((word) => word.replaceAll('FOLDER', folder)), ...env, 'docker', 'buildx', 'bake', '--print', ...args],
    { encoding: 'utf8' },
  );
  const last = stderr.trim().split('\n').findLast((line) => line.startsWith('ERROR')) ?? stderr;
  if (status === 0) writeFileSync(join(folder, 'expected.json'), `${JSON.stringify(JSON.parse(stdout), undefined, 2)}\n`);
  else writeFileSync(join(folder, 'error.txt'), `${last}\n`);
  console.log(`${name}: ${status === 0 ? 'ok' : last}`);
}
