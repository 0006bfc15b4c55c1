/**
 * Measures strake beside other builders: every workload to an OCI archive, all tools in turn, each time on a context that none has seen.
 *   npm run bench                          the whole run, kept in bench/results and docs/performance.md
 *   npm run bench -- --quick               one repetition, printed only
 *   npm run bench -- --only tiny-copy --tool strake --profile --store /tmp/store   only what is named; with a store that has the base already
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { measureLatency, type Latency } from './latency.ts';
import { measure, type Sample } from './measure.ts';
import { profile } from './profile.ts';
import { keep, machine, terminal, type Failure, type Report, type Result } from './report.ts';
import { DAEMON, DEBIAN, peers, strake, type Absent, type Base, type Tool } from './tools.ts';
import { warmUp, workloads, type Workload } from './workloads.ts';

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    repeat: { type: 'string', default: '3' },
    only: { type: 'string', multiple: true, default: [] },
    tool: { type: 'string', multiple: true, default: [] },
    profile: { type: 'boolean', default: false },
    work: { type: 'string', default: tmpdir() },
    keep: { type: 'boolean', default: false },
    store: { type: 'string' },
  },
});
const repetitions = values.quick ? 1 : Number(values.repeat);
if (!Number.isInteger(repetitions) || repetitions < 1)
  throw new Error(`--repeat ${values.repeat}: not a number of runs`);
/** Rounds of what takes a fraction of a second. */
const ROUNDS = values.quick ? 3 : 15;
const LATENCY = 'latency';
const withLatency = asked(values.only, LATENCY, String(workloads.length + 1)) && asked(values.tool, 'strake');
const chosen = workloads.filter(({ name }, index) => asked(values.only, name, String(index + 1)));
const load = loadavg()[0] ?? 0;
const interrupted = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.on(signal, () => interrupted.abort(new Error(`interrupted by ${signal}`)));

// On a disk, as a user's contexts and stores are; removed in one go at the end, since creating files right after many were deleted is slow on ext4.
const work = mkdtempSync(join(values.work, 'strake-bench-'));
const log = join(work, 'log');
const tools: Tool[] = [];
const failures: Failure[] = [];
try {
  process.exitCode = await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  for (const tool of tools) tool.close();
  if (values.keep) console.log(`kept: ${work}`);
  else rmSync(work, { recursive: true, force: true });
}

async function main(): Promise<number> {
  const own = strake(values.store ?? join(work, 'strake'));
  // Only those that are asked for: to find one of them starts a daemon.
  const wanted = [...peers].filter(
    ([name]) =>
      chosen.length > 0 && asked(values.tool, name) && (name !== DAEMON || chosen.some(({ transfers }) => transfers)),
  );
  const found = [own, ...wanted.map(([, find]) => find(work))];
  const absent = found.filter((tool): tool is Absent => 'absent' in tool && asked(values.tool, tool.name));
  tools.push(...found.filter((tool): tool is Tool => !('absent' in tool) && asked(values.tool, tool.name)));
  if ((chosen.length === 0 && !withLatency) || tools.length === 0)
    throw new Error('nothing to measure: no such workload or tool is there');
  console.error(`measuring ${tools.map(({ name, version }) => `${name} ${version}`).join(', ')} in ${work}`);

  const onBase = withLatency || chosen.some((workload) => workload.onBase);
  const base = onBase ? await makeBase(own) : undefined;
  for (const tool of tools) {
    const warm = onBase && tool.transfersOnly !== true;
    if (base && warm) tool.prepare(base);
    await run(tool, context(warmUp(warm), tool.name), 'warm-up');
  }
  const results: Result[] = [];
  for (const workload of chosen) results.push(...(await measureWorkload(workload)));

  const latency = withLatency ? await latencies(own) : [];

  const commit = spawnSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: import.meta.dirname, encoding: 'utf8' });
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    repetitions,
    machine: machine({ commit: commit.stdout?.trim() ?? '', load, memory: totalmem() }),
    tools: tools.map(({ name, version, reach }) => ({ name, version, reach })),
    absent,
    failures,
    workloads: chosen.map(({ name, title, goal }) => ({ name, title, goal })),
    results,
    latency,
  };
  console.log(terminal(report));
  const whole = !values.quick && values.only.length === 0 && values.tool.length === 0;
  if (whole) keep(report);
  if (values.profile) for (const workload of chosen) await profileOf(workload, own);
  return 0;
}

/** The base that strake makes, as an archive for its peers. */
async function makeBase(own: Tool): Promise<Base> {
  const folder = join(work, 'base');
  const base = { archive: join(work, 'base.tar'), layout: join(work, 'base-layout') };
  mkdirSync(folder);
  writeFileSync(join(folder, 'Dockerfile'), `FROM ${DEBIAN}\n`);
  console.error(`making ${DEBIAN}`);
  await measure(own.build(folder, base.archive), { log, signal: interrupted.signal });
  mkdirSync(base.layout);
  spawnSync('tar', ['-xf', base.archive, '-C', base.layout], { stdio: 'inherit' });
  return base;
}

/** Tools take turns, and who is first changes with each repetition. */
async function measureWorkload(workload: Workload): Promise<Result[]> {
  const suited = tools.filter((tool) => tool.transfersOnly !== true || workload.transfers === true);
  const samples = new Map<Tool, Sample[]>(suited.map((tool) => [tool, []]));
  const sizes = new Map<Tool, number>();
  const travels = new Map<Tool, number | undefined>();
  const taking = (): readonly Tool[] => suited.filter((tool) => samples.has(tool));
  /** A peer that cannot do a workload is left out of it; strake may not fail. */
  const attempt = async (tool: Tool, name: string): Promise<Ran | undefined> => {
    try {
      return await run(tool, folder, name);
    } catch (error) {
      if (tool.name === 'strake' || interrupted.signal.aborted) throw error;
      const [, ...said] = String(error instanceof Error ? error.message : error)
        .trim()
        .split('\n');
      failures.push({ workload: workload.name, tool: tool.name, said: said.at(-1) ?? 'failed' });
      console.error(`${name} ${tool.name}: ${error instanceof Error ? error.message : error}`);
      samples.delete(tool);
      return undefined;
    }
  };
  let folder = '';
  if (workload.again) {
    folder = context(workload, 'again');
    for (const tool of suited) await attempt(tool, `${workload.name}-before`);
  }
  for (let turn = 0; turn < repetitions; turn += 1) {
    if (!workload.again) folder = context(workload, String(turn));
    workload.change?.(folder, `${process.pid}-${turn}`);
    for (let at = 0; at < suited.length; at += 1) {
      const tool = suited[(at + turn) % suited.length]!;
      if (!samples.has(tool)) continue;
      const ran = await attempt(tool, `${workload.name}-${turn}`);
      if (!ran) continue;
      samples.get(tool)!.push(ran.sample);
      sizes.set(tool, ran.size);
      travels.set(tool, workload.transfers === true ? ran.travelled : undefined);
    }
  }
  return taking().map((tool) => ({
    workload: workload.name,
    tool: tool.name,
    samples: samples.get(tool)!,
    output: sizes.get(tool)!,
    travelled: travels.get(tool),
  }));
}

async function latencies(own: Tool): Promise<readonly Latency[]> {
  const workload = workloads.find(({ name }) => name === 'no-op')!;
  const folder = context(workload, LATENCY);
  const [{ argv, env } = { argv: [] }] = own.build(folder, '');
  console.error(`measuring what a build costs that has nothing to do, ${ROUNDS} rounds`);
  const program = argv.slice(0, argv.indexOf('build'));
  const store = env?.['STRAKE_ROOT'] ?? '';
  return measureLatency({ program, context: folder, store, work, rounds: ROUNDS, log, signal: interrupted.signal });
}

function context(workload: Workload, turn: string): string {
  const folder = join(work, `context-${workload.name}-${turn}`);
  mkdirSync(folder);
  workload.write(folder, `${process.pid}-${Date.now()}-${turn}`);
  return folder;
}

interface Ran {
  readonly sample: Sample;
  readonly size: number;
  readonly travelled: number | undefined;
}

async function run(tool: Tool, folder: string, name: string): Promise<Ran> {
  const archive = join(work, `${name}-${tool.name}.tar`);
  const commands = tool.build(folder, archive);
  const said = existsSync(log) ? statSync(log).size : 0;
  const { wall, cpu, rss } = await measure(commands, { log, daemons: tool.daemons, signal: interrupted.signal });
  const sample = { wall: wall - tool.reach * commands.length, cpu, rss };
  console.error(`${name} ${tool.name}: ${sample.wall.toFixed(3)} s`);
  const { size } = statSync(archive);
  // One file, if a large one: many workloads of several tools would fill the disk.
  rmSync(archive);
  const travelled = tool.tellsTravel === true ? travelledBytes(readFileSync(log).subarray(said).toString()) : undefined;
  return { sample, size, travelled };
}

/** The largest context in buildx's plain progress: `#3 transferring context: 1.07GB 7.1s done`. */
function travelledBytes(progress: string): number | undefined {
  const units: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };
  const told = [...progress.matchAll(/transferring context:? ([\d.]+)(k?B|MB|GB).* done$/gm)];
  return told.length === 0 ? undefined : Math.max(...told.map(([, size, unit]) => Number(size) * units[unit!]!));
}

async function profileOf(workload: Workload, own: Tool): Promise<void> {
  const folder = context(workload, 'profile');
  if (workload.again) await run(own, folder, `${workload.name}-profile-before`);
  workload.change?.(folder, 'profile');
  const [command] = own.build(folder, join(work, `${workload.name}-profile.tar`));
  console.log(`\nstrake, ${workload.title}:\n${profile(command!)}`);
}

function asked(names: readonly string[], ...own: readonly string[]): boolean {
  return names.length === 0 || own.some((name) => names.includes(name));
}
