import { constants } from 'node:os';
import { hasCode } from '../../../base/index.ts';
import type { ContainerRoot, Engine } from '../../../engine/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { hostPlatform, parsePlatform } from '../../../image/index.ts';
import {
  startContainer,
  userOf,
  withAppPort,
  withExecEnv,
  type Container,
  type ContainerEvent,
} from '../../../machine/index.ts';
import { isBaseReference } from '../../../packages/index.ts';
import { openContainers } from '../container/containers.ts';
import { usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, isInsecure, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';
import { overridesOf, type RunFlags } from './flags.ts';
import { graceOf } from './grace.ts';
import { withRunFlags } from './health-flags.ts';
import { descriptorWriter, inputBytes } from './standard-streams.ts';
import { takeSignals } from './take-signals.ts';
import { wantsRecord } from './wants-record.ts';

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const PASSED_ON = ['SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGCONT'] as const;
/** A launcher passes on what the terminal sent to both: that is no second wish. */
const ECHO_MS = 100;

/** `strake run`: gives the container's exit code. */
export async function runImage(
  image: string,
  args: readonly string[],
  o: { readonly flags: RunFlags; readonly c: CliContext },
): Promise<number> {
  const { flags, c } = o;
  const { io, settings, signal } = c;
  if (flags.interactive && flags.tty && flags.detach !== true && io.stdin.isTTY !== true)
    throw usage('run with -i and -t: standard input is not a terminal', 'Leave out -t to give it the input as it is.');
  const { volumes } = openContainers(c);
  const overridden = overridesOf(flags, args, { io, volumes });
  const { overrides, publish } = overridden;
  if (wantsRecord(flags)) {
    const { runContainer } = await import('./run-container.ts');
    return runContainer(image, { flags, overridden, c });
  }
  const grace = flags.stopTimeout === undefined ? undefined : graceOf(flags.stopTimeout, '--stop-timeout');
  await using engine = await engineFor(settings);
  await using root = await rootOf(image, { ...o, engine });
  const eol = overrides.terminal ? '\r\n' : '\n';
  const say = (text: string): void => {
    if (!flags.quiet) io.stderr.write(`${text}${eol}`);
  };
  if (flags.verbose) say(`${io.errStyle.dim('runs on')}: ${root.ground.name}`);
  using input = flags.interactive ? inputBytes(io.stdin) : undefined;
  const container = await startContainer({
    config: withExecEnv(withAppPort(withRunFlags(root.config, flags), overrides.env)),
    executor: root.ground.executor,
    root: root.mounts,
    user: await root.user(userOf(root.config.config ?? {}, overrides)),
    overrides,
    publish,
    publishAll: flags.publishAll,
    health: flags.healthcheck,
    io: { stdout: descriptorWriter(1), stderr: descriptorWriter(2), stdin: input },
    tell: (event) => tell(event, { say, verbose: flags.verbose === true, c }),
    clock: io.clock,
    random: io.random,
    grace,
    signal,
  });
  using _signals = hearSignals(container, c);
  using _terminal = overrides.terminal ? attachTerminal(container, { c, raw: input !== undefined }) : undefined;
  return await container.ended;
}

/** The image's root; the image is pulled when it is not in the store, or when that is asked for. */
async function rootOf(
  image: string,
  o: { readonly flags: RunFlags; readonly c: CliContext; readonly engine: Engine },
): Promise<ContainerRoot> {
  const { flags, c, engine } = o;
  const platform = platformOf(flags);
  const host = { credentials: hostCredentials(lazyCredentials(c.io)) };
  const open = (): Promise<ContainerRoot> => engine.root(image, { platform, host, signal: c.signal });
  if (flags.pull === 'always') await pullImage(image, o);
  try {
    return await open();
  } catch (error) {
    if (flags.pull !== 'missing' || !hasCode(error, 'IMAGE_NOT_FOUND')) throw error;
  }
  await pullImage(image, o);
  return open();
}

export function platformOf(flags: RunFlags): Platform | undefined {
  return flags.platform === undefined ? undefined : parsePlatform(flags.platform, hostPlatform(process));
}

/** Brings an image into the store, or makes a base. */
export async function pullImage(
  image: string,
  o: { readonly flags: RunFlags; readonly c: CliContext; readonly engine: Engine },
): Promise<void> {
  const { flags, c, engine } = o;
  const { io, settings, signal } = c;
  const host = { credentials: hostCredentials(lazyCredentials(io)) };
  if (isBaseReference(image)) {
    await withProgress(c, { ...flags, title: 'Making', name: `make ${image}` }, (telling) =>
      engine.bases.create(image, { host, signal, ...telling }),
    );
    return;
  }
  const platform = platformOf(flags);
  const insecure = await isInsecure(image, settings);
  await withProgress(c, { ...flags, title: 'Pulling', name: `pull ${image}` }, ({ onProgress }) =>
    engine.images.pull(image, { platform, insecure, host, onProgress, signal }),
  );
}

/** The first signal to end asks the container to, the second kills it; others are passed on. */
function hearSignals(container: Container, { io }: CliContext): Disposable {
  let asked: number | undefined;
  return takeSignals([...ENDING, ...PASSED_ON], (name) => {
    if (!(ENDING as readonly string[]).includes(name)) {
      void container.signal(constants.signals[name]);
      return;
    }
    const now = io.clock.now();
    if (asked === undefined) void container.stop();
    else if (now - asked > ECHO_MS) container.kill();
    asked ??= now;
  });
}

/** Passes sizes on, and every key as it is pressed. */
function attachTerminal(container: Container, o: { readonly c: CliContext; readonly raw: boolean }): Disposable {
  const { io } = o.c;
  const resized = io.stdout.onResize(() => void container.resize(io.stdout.size()));
  if (o.raw) io.stdin.setRawMode?.(true);
  return {
    [Symbol.dispose]: () => {
      resized[Symbol.dispose]();
      if (o.raw) io.stdin.setRawMode?.(false);
    },
  };
}

function tell(
  event: ContainerEvent,
  o: { readonly say: (text: string) => void; readonly verbose: boolean; readonly c: CliContext },
): void {
  const { errStyle } = o.c.io;
  if (event.kind === 'listening') o.say(`${errStyle.green('listening')}: ${event.at}`);
  else if (event.kind === 'note') o.say(`${errStyle.yellow('note')}: ${event.text}`);
  else if (event.health === 'unhealthy') o.say(`${errStyle.red('unhealthy')}: ${event.detail}`);
  else if (o.verbose) o.say(errStyle.green('healthy'));
}
