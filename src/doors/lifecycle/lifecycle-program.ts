import { tmpdir } from 'node:os';
import { hasCode, kindOf, messageOf, sys, tempFolder } from '../../base/index.ts';
import {
  checkPlatformApi,
  exitCodeOf,
  INVALID_ARGUMENTS,
  LATEST_PLATFORM_API,
  type ApiVersion,
  type Phase,
} from '../../frontend/buildpack/index.ts';
import { describeFailure, versionLine, type Io } from '../cli/index.ts';
import { PhaseWorld } from './context.ts';
import { lifecycleError } from './errors.ts';
import { PHASE_NAMES, type PhaseName } from './flag.ts';
import { flagsOf } from './flags.ts';
import { guardExperimental } from './guard-experimental.ts';
import { helpOf } from './help.ts';
import type { DaemonConnection } from './images/daemon-connection.ts';
import { Inputs } from './inputs.ts';
import { parseFlags } from './parse-flags.ts';
import { PhaseLog } from './phase-log.ts';
import { becomeUser, giveTo, refuseRoot, variablesOf } from './privileges.ts';
import { PROGRAMS, type Program } from './programs.ts';

interface Host {
  readonly io: Io;
  readonly signal: AbortSignal;
}

/** One of the lifecycle's programs, named by the first word, to its exit code (platform.md, Exit Codes). What went wrong is one message on standard error. */
export async function runLifecycle(argv: readonly string[], o: Host): Promise<number> {
  const [word = '', ...rest] = argv;
  const name = PHASE_NAMES.find((one) => one === word);
  if (name !== undefined) return runPhase(name, rest, o);
  if (word === '-version' || word === '--version') {
    o.io.stdout.write(`${versionLine()}\n`);
    return 0;
  }
  const error = lifecycleError(
    'LIFECYCLE_FLAG_INVALID',
    word === '' ? 'run a phase of the lifecycle: none is named' : `run the phase "${word}": there is no such phase`,
    { remedy: `Name one of ${PHASE_NAMES.join(', ')}.` },
  );
  tell(error, o.io);
  return INVALID_ARGUMENTS;
}

async function runPhase(name: PhaseName, argv: readonly string[], o: Host): Promise<number> {
  const { io, signal } = o;
  const program = PROGRAMS[name];
  let phase: Phase = program.phase;
  try {
    const asked = io.env['CNB_PLATFORM_API'];
    if (argv.some((word) => /^--?(h|help)$/.test(word))) {
      io.stdout.write(helpOf(name, program.usage, apiOr(asked)));
      return 0;
    }
    if (argv.some((word) => /^--?version$/.test(word))) {
      io.stdout.write(`${versionLine()}\n`);
      return 0;
    }
    const api = checkPlatformApi(asked);
    const parsed = parseFlags(argv, { flags: flagsOf(name, api), program: name });
    const inputs = new Inputs(parsed, { phase: name, api, env: io.env, cwd: io.cwd });
    const code = await runProgram(program, {
      ...o,
      inputs,
      during: async (at, work) => {
        phase = at;
        return work();
      },
    });
    return code ?? 0;
  } catch (error) {
    if (signal.aborted) {
      io.stderr.write(`${messageOf(signal.reason)}\n`);
      return kindOf(signal.reason) === 'cancelled' ? 130 : 1;
    }
    tell(error, io);
    if (hasCode(error, 'LIFECYCLE_FLAG_INVALID')) return INVALID_ARGUMENTS;
    return hasCode(error, 'LIFECYCLE_ROOT') ? 1 : exitCodeOf(error, phase);
  }
}

async function runProgram(
  program: Program,
  o: Host & { readonly inputs: Inputs; readonly during: Parameters<Program['run']>[1]['during'] },
): Promise<number | void> {
  const { io, inputs, signal } = o;
  const log = new PhaseLog({
    level: inputs.text('log-level'),
    out: (text) => io.stdout.write(text),
    err: (text) => io.stderr.write(text),
  });
  checkModes(inputs, log);
  // The same image whoever calls.
  process.umask(0o022);
  if (program.runsBuildpacks && !program.dropsRoot) refuseRoot(program.phase);
  const isRoot = process.getuid!() === 0 && program.dropsRoot;
  const ids = isRoot ? inputs.ids() : undefined;
  const env = ids && program.runsBuildpacks ? { ...inputs.env, ...variablesOf(ids.uid) } : inputs.env;
  const daemon =
    inputs.takes('daemon') && inputs.bool('daemon') ? await connectTo(inputs, ids !== undefined) : undefined;
  await using world = new PhaseWorld({ io, inputs, log, env, daemon, signal });
  if (ids) {
    await world.readLogins(program.images(inputs), { signal });
    giveTo(program.folders(inputs), ids);
    becomeUser(ids, program);
  }
  // What buildpacks are run by has the registries' logins in its environment.
  if (program.runsBuildpacks) sys.hideProcess();
  using scratch = tempFolder(inputs.env['TMPDIR'] || tmpdir(), io.random);
  return await program.run(world.context, { scratch: scratch.path, during: o.during });
}

async function connectTo(inputs: Inputs, openNow: boolean): Promise<DaemonConnection> {
  const { connectDaemon } = await import('./images/daemon-connection.ts');
  return connectDaemon(inputs.env, { openNow });
}

/** Ways of working that need more, or do not go together. */
function checkModes(inputs: Inputs, log: PhaseLog): void {
  if (inputs.since('0.12') && inputs.bool('layout')) checkLayout(inputs, log);
  if (inputs.text('launch-cache') !== '' && !inputs.bool('daemon'))
    log.warn('Ignoring -launch-cache, only intended for use with -daemon');
}

function checkLayout(inputs: Inputs, log: PhaseLog): void {
  guardExperimental('export to OCI layout', { inputs, log });
  if (inputs.text('layout-dir') === '')
    throw lifecycleError('LIFECYCLE_FLAG_INVALID', 'use OCI layouts: -layout-dir is not given', {
      remedy: 'Name the folder of the layouts with -layout-dir or CNB_LAYOUT_DIR.',
    });
}

function apiOr(asked: string | undefined): ApiVersion {
  try {
    return checkPlatformApi(asked);
  } catch {
    return LATEST_PLATFORM_API;
  }
}

function tell(error: unknown, io: Io): void {
  io.stderr.write(describeFailure(error, { color: false }).replace(/^error: /, () => 'ERROR: '));
}
