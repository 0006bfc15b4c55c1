import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '../../../base/index.ts';
import {
  parseEnvFile,
  parsePublish,
  parseTmpfs,
  parseVolume,
  volumeMount,
  type PortRequest,
  type RunOverrides,
} from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { extraHost } from '../parse/network.ts';
import { oneOf } from '../parse/values.ts';

export interface RunFlags {
  readonly publish: readonly string[];
  readonly publishAll?: boolean | undefined;
  readonly env: readonly string[];
  readonly envFile: readonly string[];
  readonly volume: readonly string[];
  readonly tmpfs: readonly string[];
  readonly workdir?: string | undefined;
  readonly user?: string | undefined;
  readonly entrypoint?: string | undefined;
  readonly hostname?: string | undefined;
  readonly network: string;
  readonly addHost: readonly string[];
  readonly interactive?: boolean | undefined;
  readonly tty?: boolean | undefined;
  readonly readOnly?: boolean | undefined;
  readonly pull: string;
  readonly platform?: string | undefined;
  readonly healthcheck: boolean;
  readonly stopTimeout?: string | undefined;
  readonly verbose?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly progress?: string | undefined;
  readonly insecureRegistry?: readonly string[] | undefined;
}

/** What the flags come to. Files and folders that they name are read and made. */
export function overridesOf(
  flags: RunFlags,
  command: readonly string[],
  io: Pick<Io, 'env' | 'cwd' | 'home' | 'stdout'>,
): { overrides: RunOverrides; publish: readonly PortRequest[] } {
  const volumes = flags.volume.map((text) => parseVolume(text, io));
  const overrides: RunOverrides = {
    command,
    entrypoint: flags.entrypoint,
    env: [
      ...flags.envFile.flatMap((path) => envFile(path, io)),
      ...flags.env.flatMap((text) => variable(text, io.env)),
    ],
    user: flags.user,
    workdir: flags.workdir,
    hostname: flags.hostname,
    network: oneOf(['default', 'host', 'none'], '--network')(flags.network),
    extraHosts: flags.addHost.map(hostOf),
    mounts: [
      ...volumes.flatMap((volume) => ('source' in volume ? [volumeMount(volume)] : [])),
      ...flags.tmpfs.map(parseTmpfs),
    ],
    volumes: volumes.flatMap((volume) => ('source' in volume ? [] : [volume.target])),
    readonlyRoot: flags.readOnly,
    terminal: flags.tty === true ? io.stdout.size() : undefined,
  };
  return { overrides, publish: flags.publish.flatMap(parsePublish) };
}

/** `name=value`, or `name` with the value that it has here. */
function variable(text: string, env: Io['env']): string[] {
  const equals = text.indexOf('=');
  if (equals === 0 || text === '') throw usage(`read --env "${text}": the name is missing`, 'Write name=value.');
  if (equals > 0) return [text];
  const value = env[text];
  return value === undefined ? [] : [`${text}=${value}`];
}

function envFile(path: string, io: Pick<Io, 'env' | 'cwd'>): string[] {
  let text: string;
  try {
    text = readFileSync(resolve(io.cwd, path), 'utf8');
  } catch (error) {
    throw usage(`read --env-file "${path}": ${messageOf(error)}`);
  }
  return parseEnvFile(text, {
    env: io.env,
    fail: (line, detail) => usage(`read --env-file "${path}", line ${line}: ${detail}`, 'Write name=value.'),
  });
}

function hostOf(text: string): { host: string; ip: string } {
  const [host = '', ip = ''] = extraHost(text).split('=');
  return { host, ip };
}
