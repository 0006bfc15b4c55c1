/**
 * Builds the corpus with docker and writes what came of it to testdata/. Needs docker 28 with buildx and the containerd image store, with Docker Hub mirrored to 127.0.0.1:5000 where a docker-registry may be started.
 *   [STRAKE_DOCKER='WORDS…'] [STRAKE_DOCKER_HOST=/FOLDER] node e2e/dockerfile/record.ts [--show] [NAME OR GROUP…]
 * With --show nothing is written: what BuildKit says is printed.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { mapBounded } from '../../src/base/index.ts';
import { BASES, makeBases } from './bases.ts';
import { buildWithDocker, docker } from './build-with-docker.ts';
import { readCases } from './case-file.ts';
import { readGolden, writeGolden, type Golden } from './golden.ts';
import { placeCase } from './placed-case.ts';
import { openServers } from './servers.ts';

/** Cases built at once. */
const AT_ONCE = 3;
const REGISTRY = '127.0.0.1:5000';
const args = process.argv.slice(2);
const show = args.includes('--show');
const wanted = args.filter((arg) => !arg.startsWith('--'));

const work = mkdtempSync(join(tmpdir(), 'strake-record-'));
const registry = startRegistry();
try {
  await using servers = await openServers(work);
  const root = join(work, 'store');
  await makeBases({ root, work });
  for (const { name } of BASES) await push(name, root);
  const by = versions();
  const cases = readCases().filter(
    ({ name, group }) => wanted.length === 0 || wanted.includes(name) || wanted.includes(group),
  );
  const failures: string[] = [];
  for (const group of new Set(cases.map((one) => one.group))) {
    const known = new Set(
      readCases()
        .filter((one) => one.group === group && one.hand === undefined)
        .map(({ name }) => name),
    );
    const golden: Record<string, Golden> = Object.fromEntries(
      Object.entries(readGolden(group).cases).filter(([name]) => known.has(name)),
    );
    await mapBounded(
      cases.filter((each) => each.group === group),
      AT_ONCE,
      async (one) => {
        const { said, ...result } = await buildWithDocker(
          one,
          placeCase(one, work, { places: servers.places, share: false }),
        );
        if (show) console.log(said, JSON.stringify(result, undefined, 1));
        const text = result.error?.text;
        console.log(`${one.name}: ${one.hand === undefined ? '' : 'by hand; docker: '}${text ?? 'built'}`);
        if (one.hand !== undefined) return;
        golden[one.name] = result;
        if ((one.fails === undefined) !== (text === undefined))
          failures.push(`${one.name}: ${text ?? 'was expected to fail'}`);
        else if (text !== undefined && one.fails?.test(text) !== true)
          failures.push(`${one.name}: "${text}" is not as expected`);
      },
    );
    if (!show) writeGolden(group, { by, cases: golden });
  }
  for (const failure of failures) console.log(`LOOK AT ${failure}`);
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  registry.kill();
  rmSync(work, { recursive: true, force: true });
}

function startRegistry(): ReturnType<typeof spawn> {
  const file = join(work, 'registry.yml');
  writeFileSync(
    file,
    `version: 0.1\nlog:\n  level: error\n  accesslog:\n    disabled: true\nstorage:\n  filesystem:\n    rootdirectory: ${join(work, 'registry')}\nhttp:\n  addr: ${REGISTRY}\n`,
  );
  return spawn('docker-registry', ['serve', file], { stdio: 'ignore' });
}

/** A base goes to where docker's mirror of Docker Hub is; all its platforms under one name. */
async function push(name: string, root: string): Promise<void> {
  const { platforms } = BASES.find((base) => base.name === name) ?? { platforms: [] };
  const { pushPlatforms } = await import('./push-platforms.ts');
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(`http://${REGISTRY}/v2/`).catch(() => undefined);
    if (answer) break;
    if (attempt === 100) throw new Error('docker-registry did not start');
    await wait(50);
  }
  await pushPlatforms({ name, platforms, root, work, registry: REGISTRY });
  docker(['image', 'rm', '-f', name]);
}

function versions(): Record<string, string> {
  const server = docker(['version', '--format', '{{.Server.Version}}']).stdout.trim();
  const buildx = docker(['buildx', 'version']).stdout.trim().split(' ')[1] ?? '';
  const inspected = docker(['buildx', 'inspect']).stdout;
  const buildkit = /BuildKit version:\s*(\S+)/.exec(inspected)?.[1] ?? '';
  if (server === '') throw new Error('no docker daemon answers: see STRAKE_DOCKER');
  return { docker: server, buildx, buildkit };
}
