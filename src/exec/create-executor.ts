import { readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, hasErrno, messageOf, type Clock, type Random, type Wait } from '../base/index.ts';
import { candidates, type Candidate, type Found } from './candidates.ts';
import { execError } from './errors.ts';
import { bootId } from './machine.ts';
import { hostNetwork, networkKinds, openNetwork } from './open-network.ts';
import { recoverCni } from './cni.ts';
import { runJoining, runStep, type StepRunner } from './run-step.ts';
import { lookInto } from './look.ts';
import { RunningTable } from './running.ts';
import { openWorkspace, recoverWorkspaces, type Workspace } from './workspace.ts';
import type { Executor, ExecutorReport } from './executor.ts';

export type ExecutorName = 'crun' | 'runc' | 'builtin';

export interface ExecutorOptions {
  /** Tried first; the others follow when it does not work here. */
  readonly prefer?: ExecutorName | undefined;
  /** A folder for what executors keep while they run, and for what was found out about this machine. */
  readonly stateFolder: string;
  /** This process is root of a user namespace that maps a range of ids, or one only. */
  readonly rootless?: 'range' | 'single' | undefined;
  /** The network that processes share is started when the first one needs it, not at once. */
  readonly lateNetwork?: boolean | undefined;
  readonly random: Random;
  readonly clock: Clock;
}

/** One way of running steps, tried on this machine. */
export interface ExecutorProbe {
  readonly name: ExecutorName;
  readonly works: boolean;
  /** Why it does not. */
  readonly reason?: string | undefined;
  readonly version?: string | undefined;
  /** What it would give. */
  readonly report?: ExecutorReport | undefined;
}

/** An executor that must be given back: what it started for all steps ends with it. */
export type OpenExecutor = Executor & AsyncDisposable;

/**
 * The quickest executor that works here: crun, runc, then util-linux. Each is tried once by a real start; the outcome is kept in the state folder until the program, the machine's boot or this version changes. Call it in a mount
 * namespace of this process's own (throws `MOUNTS_SHARED`). Throws `EXECUTOR_UNAVAILABLE`, with every reason, when none works.
 */
export async function createExecutor(o: ExecutorOptions & Wait): Promise<OpenExecutor> {
  const workspace = openWorkspace(o.stateFolder, o.random);
  try {
    const reasons: string[] = [];
    for (const candidate of inOrder(o.prefer)) {
      const outcome = await probeOnce(candidate, { ...o, workspace });
      if (outcome.works) return await open(candidate, { ...o, workspace, found: outcome.found });
      reasons.push(`${candidate.name}: ${outcome.reason}`);
    }
    throw execError('EXECUTOR_UNAVAILABLE', `find a way to run steps: ${reasons.join('; ')}`, {
      remedy: 'Install crun or runc, or util-linux with coreutils, and see what "strake doctor" says.',
    });
  } catch (error) {
    workspace[Symbol.dispose]();
    throw error;
  }
}

/** Takes away what executors of processes that are gone left below the state folder (mounts, cgroups, processes, addresses); gives their ids. Call it when a store is opened. */
export function recoverExecutors(stateFolder: string): string[] {
  return recoverWorkspaces(stateFolder, recoverCni);
}

/** Tries every executor anew, for people who want to know. */
export async function probeExecutors(o: Omit<ExecutorOptions, 'prefer'> & Wait): Promise<ExecutorProbe[]> {
  using workspace = openWorkspace(o.stateFolder, o.random);
  const probes: ExecutorProbe[] = [];
  for (const candidate of inOrder(undefined)) {
    const outcome = await probe(candidate, { ...o, workspace });
    if (!outcome.works) {
      probes.push({ name: candidate.name, works: false, reason: outcome.reason, version: outcome.version });
      continue;
    }
    await using network = openNetwork(await networkThatWorks({ ...o, workspace }), { ...o, workspace });
    const report = candidate.report(outcome.found, { rootless: o.rootless, network });
    probes.push({ name: candidate.name, works: true, version: outcome.found.version, report });
  }
  return probes;
}

type Outcome =
  | { readonly works: true; readonly found: Found }
  | { readonly works: false; readonly reason: string; readonly version?: string | undefined };

export interface Context extends Wait {
  readonly stateFolder: string;
  readonly lateNetwork?: boolean | undefined;
  readonly rootless?: 'range' | 'single' | undefined;
  readonly random: Random;
  readonly clock: Clock;
  readonly workspace: Workspace;
}

function inOrder(prefer: ExecutorName | undefined): Candidate[] {
  return [...candidates].sort((a, b) => Number(b.name === prefer) - Number(a.name === prefer));
}

async function open(candidate: Candidate, c: Context & { readonly found: Found }): Promise<OpenExecutor> {
  const driver = await candidate.driver(c.found, c);
  const network = openNetwork(await networkThatWorks(c), { ...c, late: c.lateNetwork });
  const running: RunningTable = new RunningTable({
    driver,
    join: (started, process, o) =>
      runJoining(driver, process, { ...o, step: started.step, run: c.workspace.run, running }),
  });
  const runner: StepRunner = { workspace: c.workspace, network, rootless: c.rootless, driver, running };
  return {
    report: candidate.report(c.found, { rootless: c.rootless, network }),
    running,
    run: (process, options) => runStep(runner, process, options),
    look: async (at, question, w = {}) => lookInto(at, question, { ...w, ...lookPlace(c) }),
    [Symbol.asyncDispose]: async () => {
      await network[Symbol.asyncDispose]();
      c.workspace[Symbol.dispose]();
    },
  };
}

function lookPlace({ workspace, random, rootless }: Context): { folder: string; rootless: boolean } {
  return { folder: join(workspace.run, `look-${random.hex(8)}`), rootless: rootless !== undefined };
}

async function probe(candidate: Candidate, c: Context): Promise<Outcome> {
  const program = candidate.program();
  if (program === undefined) return { works: false, reason: 'not installed' };
  try {
    return { works: true, found: await candidate.probe(program, c) };
  } catch (error) {
    if (c.signal?.aborted) throw error;
    return { works: false, reason: messageOf(error) };
  }
}

/** A probe's outcome from the state folder, if nothing that it depends on has changed. */
async function probeOnce(candidate: Candidate, c: Context): Promise<Outcome> {
  const program = candidate.program();
  if (program === undefined) return { works: false, reason: 'not installed' };
  const { mtimeMs, size } = statSync(program);
  return remembered(candidate.name, {
    c,
    key: [program, mtimeMs, size, candidate.stamp()],
    find: () => probe(candidate, c),
    good: (outcome) => outcome.works,
  });
}

/** What network `default` comes to: the best that could be started. */
export async function networkThatWorks(c: Context): Promise<ExecutorReport['network']> {
  const kinds = networkKinds(c.rootless);
  if (kinds.length === 0) return 'host';
  return remembered('network', {
    c,
    key: kinds.map((kind) => [kind, ...stampOf(kind)]),
    find: async () => {
      for (const kind of kinds) {
        try {
          await using network = openNetwork(kind, c);
          await network.open('default', c);
          return kind;
        } catch (error) {
          if (c.signal?.aborted) throw error;
        }
      }
      return hostNetwork.kind;
    },
    good: (kind) => kind === kinds[0],
  });
}

function stampOf(program: string): (string | number)[] {
  const path = findTool(program);
  if (path === undefined) return [];
  const { mtimeMs, size } = statSync(path);
  return [path, mtimeMs, size];
}

/** What was found out since the machine's boot under the same key, else what `find` finds out. What is not good is tried again after a while, because people mend it. */
async function remembered<T>(
  name: string,
  o: {
    readonly c: Context;
    readonly key: unknown;
    readonly find: () => Promise<T>;
    readonly good: (found: T) => boolean;
  },
): Promise<T> {
  const { c } = o;
  const key = JSON.stringify([VERSION, bootId(), o.key]);
  const file = join(c.stateFolder, `probe-${name}-${c.rootless ?? 'root'}.json`);
  const kept = readKept(file);
  if (kept?.key === key) {
    const age = c.clock.now() - kept.at;
    if (o.good(kept.found as T) || (age >= 0 && age < RETRY_MS)) return kept.found as T;
  }
  const found = await o.find();
  writeFileSync(`${file}.${c.workspace.id}`, JSON.stringify({ key, at: c.clock.now(), found }), { mode: 0o600 });
  renameSync(`${file}.${c.workspace.id}`, file);
  return found;
}

const RETRY_MS = 600_000;
/** Changes when an outcome's shape does. */
const VERSION = 1;

interface Kept {
  readonly key: string;
  readonly at: number;
  readonly found: unknown;
}

function readKept(file: string): Kept | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Kept;
  } catch (error) {
    if (hasErrno(error, 'ENOENT') || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
