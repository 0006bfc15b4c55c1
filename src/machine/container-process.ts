import { posix } from 'node:path';
import type { Process, StepMount, TerminalSize } from '../exec/index.ts';
import type { RunConfig } from '../image/index.ts';
import { machineError } from './errors.ts';

/** What a person asks for besides what the image says. */
export interface RunOverrides {
  /** After the image's name: takes the place of CMD. */
  readonly command?: readonly string[] | undefined;
  /** Takes the place of ENTRYPOINT and clears CMD; "" clears both. */
  readonly entrypoint?: string | undefined;
  /** `name=value`, the later ones win. */
  readonly env?: readonly string[] | undefined;
  readonly user?: string | undefined;
  readonly workdir?: string | undefined;
  readonly hostname?: string | undefined;
  readonly network?: Process['network'] | undefined;
  readonly extraHosts?: Process['extraHosts'] | undefined;
  /** Folders of this machine and temporary ones. */
  readonly mounts?: readonly StepMount[] | undefined;
  /** Paths of further volumes of the container's own. */
  readonly volumes?: readonly string[] | undefined;
  readonly readonlyRoot?: boolean | undefined;
  readonly shmSize?: number | undefined;
  readonly ulimits?: Process['ulimits'] | undefined;
  readonly limits?: Process['limits'];
  readonly privileges?: Process['privileges'];
  /** All that strake itself may do, and its devices. */
  readonly privileged?: boolean | undefined;
  readonly terminal?: TerminalSize | undefined;
}

const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SHM = 64 << 20;

/** What is run: ENTRYPOINT and CMD as Docker joins them (Dockerfile reference, "Understand how CMD and ENTRYPOINT interact"). Throws `COMMAND_MISSING`. */
export function commandOf(config: RunConfig, o: Pick<RunOverrides, 'command' | 'entrypoint'>): string[] {
  const given = o.command ?? [];
  const entrypoint = o.entrypoint === undefined ? (config.Entrypoint ?? []) : o.entrypoint === '' ? [] : [o.entrypoint];
  const rest = given.length > 0 ? given : o.entrypoint === undefined ? (config.Cmd ?? []) : [];
  const args = [...entrypoint, ...rest];
  if (args.length === 0)
    throw machineError('COMMAND_MISSING', 'run the image: it has neither ENTRYPOINT nor CMD', {
      remedy: 'Say what to run after the name of the image.',
    });
  return args;
}

/** PATH (if nothing sets it), HOSTNAME and, on a terminal, TERM; then the image's variables; then those given. HOME is the executor's, by the user's passwd entry. */
export function environmentOf(
  config: RunConfig,
  o: Pick<RunOverrides, 'env' | 'terminal'> & { readonly hostname: string },
): string[] {
  const env = new Map<string, string>();
  const all = [
    PATH,
    `HOSTNAME=${o.hostname}`,
    ...(o.terminal ? ['TERM=xterm'] : []),
    ...(config.Env ?? []),
    ...(o.env ?? []),
  ];
  for (const entry of all) {
    const equals = entry.indexOf('=');
    env.set(equals < 0 ? entry : entry.slice(0, equals), entry);
  }
  return [...env.values()].filter((entry) => entry.includes('='));
}

/** The image's volumes and those asked for, without the paths that something else is mounted on. */
export function volumesOf(config: RunConfig, o: Pick<RunOverrides, 'mounts' | 'volumes'>): StepMount[] {
  const taken = new Set((o.mounts ?? []).map((mount) => mount.target));
  const paths = [...Object.keys(config.Volumes ?? {}), ...(o.volumes ?? [])].map((path) => posix.resolve('/', path));
  return [...new Set(paths)]
    .filter((path) => path !== '/' && !taken.has(path))
    .map((target) => ({ type: 'own', target }));
}

/** The process that a container is. `user` is what the image's files make of its user. Throws `COMMAND_MISSING` and `RUN_INVALID`. */
export function containerProcess(
  config: RunConfig,
  overrides: RunOverrides,
  o: { readonly id: string; readonly user: Process['user']; readonly ports: Process['ports'] },
): Process {
  const { workdir } = overrides;
  if (workdir !== undefined && !workdir.startsWith('/'))
    throw machineError('RUN_INVALID', `run in "${workdir}": the working folder is not absolute`);
  const hostname = overrides.hostname ?? o.id.slice(0, 12);
  // Mounts on top of others come later.
  const mounts = [...volumesOf(config, overrides), ...(overrides.mounts ?? [])].sort(
    (a, b) => depth(a.target) - depth(b.target),
  );
  return {
    id: o.id,
    args: commandOf(config, overrides),
    env: environmentOf(config, { ...overrides, hostname }),
    cwd: posix.resolve('/', workdir ?? config.WorkingDir ?? '/'),
    user: o.user,
    hostname,
    network: overrides.network ?? 'default',
    security: overrides.privileged === true ? 'insecure' : 'sandbox',
    extraHosts: overrides.extraHosts ?? [],
    ulimits: overrides.ulimits ?? [],
    shmSize: overrides.shmSize ?? SHM,
    mounts,
    ...(overrides.limits === undefined ? {} : { limits: overrides.limits }),
    ...(overrides.privileges === undefined ? {} : { privileges: overrides.privileges }),
    ...(overrides.readonlyRoot === true ? { readonlyRoot: true } : {}),
    ...(overrides.terminal === undefined ? {} : { terminal: overrides.terminal }),
    ...(o.ports === undefined || o.ports.length === 0 ? {} : { ports: o.ports }),
  };
}

/** The user that the image or a person names, as text. */
export function userOf(config: RunConfig, o: Pick<RunOverrides, 'user'>): string {
  return o.user ?? config.User ?? '';
}

function depth(path: string): number {
  return path.split('/').length;
}
