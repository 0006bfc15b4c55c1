import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '../../../base/index.ts';
import type { StepMount } from '../../../exec/index.ts';
import {
  parseEnvFile,
  parsePublish,
  parseTmpfs,
  parseVolume,
  volumeMount,
  type ContainerSpec,
  type MountRequest,
  type PortRequest,
  type RunOverrides,
  type VolumeStore,
} from '../../../machine/index.ts';
import { usage } from '../errors.ts';
import type { Io } from '../io.ts';
import { extraHost } from '../parse/network.ts';
import { resourcesOf } from './resource-flags.ts';
import { mountFlag } from './mount-flag.ts';

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
  readonly memory?: string | undefined;
  readonly memorySwap?: string | undefined;
  readonly cpus?: string | undefined;
  readonly cpuShares?: string | undefined;
  readonly cpusetCpus?: string | undefined;
  readonly pidsLimit?: string | undefined;
  readonly ulimit?: readonly string[] | undefined;
  readonly shmSize?: string | undefined;
  readonly capAdd?: readonly string[] | undefined;
  readonly capDrop?: readonly string[] | undefined;
  readonly securityOpt?: readonly string[] | undefined;
  readonly privileged?: boolean | undefined;
  readonly stopTimeout?: string | undefined;
  readonly verbose?: boolean | undefined;
  readonly quiet?: boolean | undefined;
  readonly progress?: string | undefined;
  readonly insecureRegistry?: readonly string[] | undefined;
  readonly executor?: ContainerSpec['executor'];
  readonly detach?: boolean | undefined;
  readonly name?: string | undefined;
  readonly restart?: string | undefined;
  readonly rm?: boolean | undefined;
  readonly label?: readonly string[] | undefined;
  readonly labelFile?: readonly string[] | undefined;
  readonly mount?: readonly string[] | undefined;
  readonly cidfile?: string | undefined;
  readonly stopSignal?: string | undefined;
  readonly logOpt?: readonly string[] | undefined;
  readonly healthCmd?: string | undefined;
  readonly healthInterval?: string | undefined;
  readonly healthTimeout?: string | undefined;
  readonly healthStartPeriod?: string | undefined;
  readonly healthStartInterval?: string | undefined;
  readonly healthRetries?: string | undefined;
}

/** What the flags and the command come to. */
export interface Overridden {
  readonly overrides: RunOverrides;
  readonly publish: readonly PortRequest[];
  /** Named volumes among the mounts. */
  readonly volumes: readonly { readonly name: string; readonly target: string }[];
}

/** What the flags come to. Files and folders that they name are read and made. */
export function overridesOf(
  flags: RunFlags,
  command: readonly string[],
  o: { readonly io: Pick<Io, 'env' | 'cwd' | 'home' | 'stdout'>; readonly volumes: Pick<VolumeStore, 'ensure'> },
): Overridden {
  const { io } = o;
  const wanted: MountRequest[] = [
    ...flags.volume.map((text) => parseVolume(text, io)),
    ...(flags.mount ?? []).map((text) => mountFlag(text, io)),
    ...flags.tmpfs.map((text) => ({ kind: 'tmpfs' as const, mount: parseTmpfs(text) })),
  ];
  const named = wanted.filter((mount) => mount.kind === 'volume');
  const overrides: RunOverrides = {
    command,
    entrypoint: flags.entrypoint,
    env: envOf(flags, io),
    user: flags.user,
    workdir: flags.workdir,
    hostname: flags.hostname,
    network: networkOf(flags.network),
    extraHosts: flags.addHost.map(hostOf),
    mounts: wanted.flatMap((mount) => mountOf(mount, o.volumes)),
    volumes: wanted.flatMap((mount) => (mount.kind === 'own' ? [mount.target] : [])),
    readonlyRoot: flags.readOnly,
    ...resourcesOf(flags),
    terminal: flags.tty === true ? io.stdout.size() : undefined,
  };
  return {
    overrides,
    publish: flags.publish.flatMap(parsePublish),
    volumes: named.map(({ name, target }) => ({ name, target })),
  };
}

function mountOf(mount: MountRequest, volumes: Pick<VolumeStore, 'ensure'>): StepMount[] {
  if (mount.kind === 'own') return [];
  if (mount.kind === 'tmpfs') return [mount.mount];
  if (mount.kind === 'bind') {
    if (mount.mustExist === true && !existsSync(mount.source))
      throw usage(
        `mount "${mount.source}" on "${mount.target}": there is no such file or folder`,
        'Make it first, or use -v, which makes a folder.',
      );
    return [volumeMount(mount)];
  }
  const { name, target, readonly, fill } = mount;
  return [{ type: 'bind', source: volumes.ensure(name).path, target, readonly, fill }];
}

/** The variables of files, then those of flags. */
export function envOf(flags: Pick<RunFlags, 'env' | 'envFile'>, io: Pick<Io, 'env' | 'cwd'>): string[] {
  return [
    ...flags.envFile.flatMap((path) => envFile(path, io)),
    ...flags.env.flatMap((text) => variable(text, io.env)),
  ];
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

/** `bridge` is what Docker calls a network of the container's own. */
function networkOf(text: string): NonNullable<RunOverrides['network']> {
  if (text === 'bridge') return 'default';
  if (text === 'default' || text === 'host' || text === 'none') return text;
  throw usage(
    `run with --network "${text}": there are no networks of several containers here`,
    'Publish a port of the one (-p 127.0.0.1:5432:5432) and run the other with --network host, which reaches it there; or run both so.',
  );
}

function hostOf(text: string): { host: string; ip: string } {
  const [host = '', ip = ''] = extraHost(text).split('=');
  return { host, ip };
}
