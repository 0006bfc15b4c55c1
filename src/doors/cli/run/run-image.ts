import { constants } from 'node:os';
import { hasCode } from '../../../base/index.ts';
import type { ContainerRoot, Engine } from '../../../engine/index.ts';
import { hostPlatform, parsePlatform } from '../../../image/index.ts';
import { startContainer, userOf, withAppPort, type Container, type ContainerEvent } from '../../../machine/index.ts';
import { isBaseReference } from '../../../packages/index.ts';
import { usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import { durationOf } from '../parse/values.ts';
import type { CliContext } from '../program.ts';
import { engineFor, isInsecure, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';
import { overridesOf, type RunFlags } from './flags.ts';
import { descriptorWriter, inputBytes } from './standard-streams.ts';
import { takeSignals } from './take-signals.ts';

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
  if (flags.interactive && flags.tty && io.stdin.isTTY !== true)
    throw usage('run with -i and -t: standard input is not a terminal', 'Leave out -t to give it the input as it is.');
  const { overrides, publish } = overridesOf(flags, args, io);
  const grace = flags.stopTimeout === undefined ? undefined : graceOf(flags.stopTimeout);
  await using engine = await engineFor(settings);
  await using root = await rootOf(image, { ...o, engine });
  const eol = overrides.terminal ? '\r\n' : '\n';
  const say = (text: string): void => {
    if (!flags.quiet) io.stderr.write(`${text}${eol}`);
  };
  if (flags.verbose) say(`${io.errStyle.dim('runs on')}: ${root.ground.name}`);
  using input = flags.interactive ? inputBytes(io.stdin) : undefined;
  const container = await startContainer({
    config: withAppPort(root.config, overrides.env),
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
  const { io, settings, signal } = c;
  const platform = flags.platform === undefined ? undefined : parsePlatform(flags.platform, hostPlatform(process));
  const host = { credentials: hostCredentials(lazyCredentials(io)) };
  const pull = async (): Promise<void> => {
    if (isBaseReference(image)) {
      await withProgress(c, { title: 'Making', name: `make ${image}`, ...flags }, (telling) =>
        engine.bases.create(image, { host, signal, ...telling }),
      );
      return;
    }
    const insecure = await isInsecure(image, settings);
    await withProgress(c, { title: 'Pulling', name: `pull ${image}`, ...flags }, ({ onProgress }) =>
      engine.images.pull(image, { platform, insecure, host, onProgress, signal }),
    );
  };
  if (flags.pull === 'always') await pull();
  try {
    return await engine.root(image, { platform, host, signal });
  } catch (error) {
    if (flags.pull !== 'missing' || !hasCode(error, 'IMAGE_NOT_FOUND')) throw error;
  }
  await pull();
  return engine.root(image, { platform, host, signal });
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

/** Seconds as Docker takes them, or a span. */
function graceOf(text: string): number {
  return /^\d+$/.test(text) ? Number(text) * 1000 : durationOf(text, '--stop-timeout');
}
