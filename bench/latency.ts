/**
 * What strake's own steps cost apart from a build's work: the no-op in process and over a daemon's socket, each by a program that is started for it and by one that has everything open; and how soon a daemon serves that was just started.
 * Each kind in turn, round after round, so that what the machine does beside it meets all of them alike.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connectBuildKit } from '../src/lib/buildkit.ts';
import { offer, openEngine, type Builder, type BuildRequest } from '../src/lib/strake.ts';
import { openConnection } from '../src/wire/grpc/index.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../src/wire/gen/grpc/health_pb.ts';
import { DEBIAN } from './tools.ts';

const BASE = 'strake-bench-latency:latest';

/** Seconds, of every round. */
export interface Latency {
  readonly name: string;
  readonly title: string;
  readonly times: readonly number[];
  /** Beside which it stands, and how many milliseconds more it may take. */
  readonly beside?: { readonly name: string; readonly goal: number } | undefined;
  /** The most milliseconds that it may take. */
  readonly goal?: number | undefined;
}

export interface LatencyOptions {
  /** The words that start strake. */
  readonly program: readonly string[];
  /** A context that nothing changes in. */
  readonly context: string;
  /** A store that has the base. */
  readonly store: string;
  /** Where daemons have sockets and stores. */
  readonly work: string;
  readonly rounds: number;
  /** Where the programs' output goes, appended. */
  readonly log: string;
  readonly signal: AbortSignal;
}

/** Throws what fails. */
export async function measureLatency(o: LatencyOptions): Promise<readonly Latency[]> {
  const folder = join(o.work, 'latency');
  mkdirSync(folder);
  const socket = join(folder, 'socket');
  await using daemon = startDaemon({ ...o, socket, root: o.store });
  await serving(socket, { ...o, daemon });
  await using engine = await openEngine({ root: o.store });
  await using remote = await connectBuildKit(`unix://${socket}`, { sharedKey: 'bench' });
  // A base that both ends know: one of packages is made where the frontend runs.
  const base = join(folder, 'base');
  mkdirSync(base);
  writeFileSync(join(base, 'Dockerfile'), `FROM ${DEBIAN}\n`);
  strake(['build', base, '-t', BASE], o);
  const idle = { ...o, socket: join(folder, 'socket-of-idle'), root: join(folder, 'store') };
  const cold = (...flags: readonly string[]): number => {
    const began = performance.now();
    strake(['build', o.context, '--build-arg', `BASE=${BASE}`, '-t', 'strake-bench', ...flags], o);
    return performance.now() - began;
  };
  const kinds: readonly [Omit<Latency, 'times'>, () => number | Promise<number>][] = [
    [{ name: 'here', title: 'in process, a program started for it' }, () => cold()],
    [
      {
        name: 'socket',
        title: "over a daemon's socket, a client started for it",
        beside: { name: 'here', goal: 60 },
      },
      () => cold('--on', `strake+unix://${socket}`),
    ],
    [{ name: 'here-open', title: 'in process, the store open' }, () => warm(engine, o)],
    [
      {
        name: 'socket-open',
        title: "over a daemon's socket, the connection open",
        beside: { name: 'here-open', goal: 10 },
      },
      () => warm(remote.builder, o),
    ],
    [{ name: 'ready', title: 'a daemon, from its start until it says that it serves', goal: 200 }, () => ready(idle)],
  ];
  const times = new Map(kinds.map(([{ name }]) => [name, [] as number[]]));
  // The first of each is not like the others: code is compiled, and the daemon has not seen the context.
  for (let round = -2; round < o.rounds; round += 1)
    for (const [{ name }, run] of kinds) {
      o.signal.throwIfAborted();
      const time = await run();
      if (round >= 0) times.get(name)?.push(time / 1000);
    }
  return kinds.map(([kind]) => ({ ...kind, times: times.get(kind.name) ?? [] }));
}

function strake(args: readonly string[], o: LatencyOptions): void {
  const [program = '', ...words] = o.program;
  const output = openSync(o.log, 'a');
  try {
    const { status } = spawnSync(program, [...words, ...args], {
      stdio: ['ignore', output, output],
      env: { ...process.env, STRAKE_ROOT: o.store },
    });
    if (status !== 0) throw new Error(`"${args.join(' ')}" ended with code ${status}:\n${tail(o.log)}`);
  } finally {
    closeSync(output);
  }
}

async function warm(builder: Builder, o: LatencyOptions): Promise<number> {
  const request: BuildRequest & { readonly annotations: readonly [] } = {
    frontend: 'dockerfile',
    options: { 'build-arg:BASE': BASE },
    platforms: [],
    exports: [{ type: 'store', names: ['strake-bench'] }],
    allow: [],
    annotations: [],
  };
  const host = offer({ folders: { context: o.context, dockerfile: o.context } });
  const began = performance.now();
  let result = false;
  for await (const event of builder.build(request, host, { signal: o.signal })) result ||= event.kind === 'result';
  if (!result) throw new Error('a build ended without a result');
  return performance.now() - began;
}

async function ready(o: LatencyOptions & { readonly socket: string; readonly root: string }): Promise<number> {
  const began = performance.now();
  await using daemon = startDaemon(o);
  await serving(o.socket, { ...o, daemon });
  return performance.now() - began;
}

interface Daemon extends AsyncDisposable {
  readonly process: ChildProcess;
}

function startDaemon(o: LatencyOptions & { readonly socket: string; readonly root: string }): Daemon {
  const [program = '', ...words] = o.program;
  const output = openSync(o.log, 'a');
  const args = [...words, 'daemon', '--addr', `unix://${o.socket}`, '--root', o.root];
  const process = spawn(program, args, { stdio: ['ignore', output, output] });
  closeSync(output);
  const ended = new Promise((resolve) => process.once('close', resolve).once('error', resolve));
  return {
    process,
    async [Symbol.asyncDispose]() {
      process.kill('SIGTERM');
      await ended;
    },
  };
}

/** Asks as an orchestrator would, without pause. */
async function serving(path: string, o: LatencyOptions & { readonly daemon: Daemon }): Promise<void> {
  for (;;) {
    o.signal.throwIfAborted();
    if (o.daemon.process.exitCode !== null) throw new Error(`the daemon ended:\n${tail(o.log)}`);
    try {
      await using connection = await openConnection({ kind: 'unix', path });
      const { status } = await connection.client(Health).check({});
      if (status === HealthCheckResponse_ServingStatus.SERVING) return;
    } catch {}
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

function tail(path: string): string {
  return readFileSync(path, 'utf8').split('\n').slice(-25).join('\n');
}
