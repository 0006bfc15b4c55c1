import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { hasCode, messageOf } from '../../../base/index.ts';
import type { ImageDetails } from '../../../engine/index.ts';
import {
  machineError,
  parseRestart,
  signalNumber,
  withAppPort,
  withExecEnv,
  type ContainerSpec,
} from '../../../machine/index.ts';
import { openContainers } from '../container/containers.ts';
import { removeContainer } from '../container/remove.ts';
import { startMonitor } from '../container/start-monitor.ts';
import { attachTo } from '../container/attach.ts';
import { usage } from '../errors.ts';
import { bytesOf, keyValues } from '../parse/values.ts';
import type { CliContext } from '../command.ts';
import { engineFor } from '../settings.ts';
import type { Overridden, RunFlags } from './flags.ts';
import { withRunFlags } from './health-flags.ts';
import { graceOf } from './grace.ts';
import { platformOf, pullImage } from './run-image.ts';

/** `strake run` of a container that is on record: with `-d` prints its ID once it runs, else is attached to it and gives its exit code. */
export async function runContainer(
  image: string,
  o: { readonly flags: RunFlags; readonly overridden: Overridden; readonly c: CliContext },
): Promise<number> {
  const { flags, c } = o;
  const { io } = c;
  const { store } = openContainers(c);
  const spec = await specOf(image, o);
  const record = store.create(spec, { name: flags.name });
  try {
    if (flags.cidfile !== undefined) writeId(resolve(io.cwd, flags.cidfile), record.id);
    const attachFirst = flags.detach !== true;
    const monitor = startMonitor(record, { c, attachFirst });
    const say = (text: string): void => {
      if (!flags.quiet) io.stderr.write(`${io.errStyle.yellow('note')}: ${text}\n`);
    };
    if (attachFirst) {
      await monitor.next();
      const code = attachTo(record, { c, stdin: spec.interactive, terminal: spec.overrides.terminal !== undefined });
      code.catch(() => undefined);
      // How it failed says more than that it is gone.
      const first = await monitor.next();
      if (first.say === 'started') for (const note of first.notes) say(note);
      return await code;
    }
    const word = await monitor.next();
    const { notes, exitCode } = word.say === 'started' ? word : { notes: [], exitCode: undefined };
    for (const note of notes) say(note);
    io.stdout.write(`${record.id}\n`);
    if (exitCode !== undefined && exitCode >= 126 && exitCode <= 127) {
      io.stderr.write(
        `${io.errStyle.red('error')}: run "${image}": its command ${exitCode === 127 ? 'is not there' : 'cannot be run'}; see "strake logs ${record.name}"\n`,
      );
      return exitCode;
    }
    return 0;
  } catch (error) {
    // What never ran is no use to anybody.
    const now = store.read(record.id);
    if (now?.startedAt === undefined && now?.status === 'created')
      await removeContainer(now, { c, force: true, drop: async () => undefined }).catch(() => undefined);
    throw error;
  }
}

async function specOf(
  image: string,
  o: { readonly flags: RunFlags; readonly overridden: Overridden; readonly c: CliContext },
): Promise<ContainerSpec> {
  const { flags, c, overridden } = o;
  const { overrides } = overridden;
  const restart = parseRestart(flags.restart ?? 'no');
  if (flags.rm === true && restart.kind !== 'no')
    throw usage('run with --rm and --restart: what is removed cannot be started again', 'Leave one of them out.');
  const found = await imageFor(image, o);
  const config = withExecEnv(withAppPort(withRunFlags(found.config, flags), overrides.env));
  if (config.config?.StopSignal) signalNumber(config.config.StopSignal);
  return {
    image,
    imageId: found.id,
    platform: found.platform,
    config,
    overrides,
    publish: overridden.publish,
    publishAll: flags.publishAll === true,
    health: flags.healthcheck,
    interactive: flags.interactive === true,
    restart,
    autoRemove: flags.rm === true,
    labels: { ...config.config?.Labels, ...Object.fromEntries(labelsOf(flags, c)) },
    volumes: overridden.volumes,
    grace: flags.stopTimeout === undefined ? undefined : graceOf(flags.stopTimeout, '--stop-timeout'),
    log: logLimits(flags.logOpt ?? []),
    executor: flags.executor,
    ground: c.settings.ground,
  };
}

/** The image, pulled when it is not in the store, or when that is asked for. */
async function imageFor(image: string, o: { readonly flags: RunFlags; readonly c: CliContext }): Promise<ImageDetails> {
  const { flags, c } = o;
  await using engine = await engineFor(c.settings);
  const platform = platformOf(flags);
  const inspect = (): Promise<ImageDetails> => engine.images.inspect(image, { platform, signal: c.signal });
  if (flags.pull === 'always') await pullImage(image, { ...o, engine });
  try {
    return await inspect();
  } catch (error) {
    if (flags.pull !== 'missing' || !hasCode(error, 'IMAGE_NOT_FOUND')) throw error;
  }
  await pullImage(image, { ...o, engine });
  return await inspect();
}

function labelsOf(flags: RunFlags, { io }: CliContext): ReadonlyMap<string, string> {
  const lines = (flags.labelFile ?? []).flatMap((path) => {
    try {
      return readFileSync(resolve(io.cwd, path), 'utf8').split('\n');
    } catch (error) {
      throw usage(`read --label-file "${path}": ${messageOf(error)}`);
    }
  });
  const written = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'));
  return keyValues([...written, ...(flags.label ?? [])], { what: '--label', alone: () => '' });
}

const MAX_BYTES = 16 << 20;
const MAX_FILES = 8;

function logLimits(options: readonly string[]): ContainerSpec['log'] {
  const values = keyValues(options, { what: '--log-opt' });
  const unknown = [...values.keys()].find((key) => key !== 'max-size' && key !== 'max-file');
  if (unknown !== undefined)
    throw usage(`read --log-opt "${unknown}": there is no such option`, 'Use max-size or max-file.');
  const size = values.get('max-size');
  const files = values.get('max-file');
  if (files !== undefined && !/^[1-9]\d{0,5}$/.test(files))
    throw usage(`read --log-opt "max-file=${files}": it is no number of files`);
  return {
    maxBytes: size === undefined ? MAX_BYTES : Math.max(1, bytesOf(size, '--log-opt max-size')),
    maxFiles: files === undefined ? MAX_FILES : Number(files),
  };
}

function writeId(path: string, id: string): void {
  try {
    writeFileSync(path, id, { flag: 'wx' });
  } catch (error) {
    throw machineError('RUN_INVALID', `write --cidfile "${path}": ${messageOf(error)}`, { cause: error });
  }
}
