import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Engine } from '../../engine/index.ts';
import type { BaseRequest } from '../../packages/index.ts';
import type { CredentialLookup, Credentials, RegistrySettings } from '../../registry/index.ts';
import { usage } from './errors.ts';
import type { Io } from './io.ts';
import { oneOf } from './parse/values.ts';
import type { TlsFiles } from './remote/endpoint.ts';

export const EXECUTORS = ['runc', 'crun', 'builtin'] as const;
/** `auto`: the best, and where nothing can be isolated one that does not isolate. */
export const GROUNDS = ['auto', 'sandbox', 'containerd', 'in-place', 'chroot'] as const;
type GroundChoice = (typeof GROUNDS)[number];
/** As it is written: one of `GROUNDS`, `containerd` also with `,address=…`, `,namespace=…` and `,snapshotter=…`. */
export type GroundText = GroundChoice | `containerd,${string}`;

/** What the command line and the environment say about where things are; handed to commands. */
export interface Settings {
  /** The store's folder. */
  readonly root: string;
  /** Folder of strake.toml, where bases are named. */
  readonly project: string;
  /** Another such folder, of bases that strake itself names. */
  readonly ownBases?: string | undefined;
  readonly executor?: (typeof EXECUTORS)[number] | undefined;
  /** No network of steps before one needs it. */
  readonly lateNetwork?: boolean | undefined;
  /** Where steps run; the best that isolates them by default. */
  readonly ground?: GroundText | undefined;
  /** Paths that steps in place must neither remove nor put into layers. */
  readonly guarded?: readonly string[] | undefined;
  /** The layer file that the root is already when the first step in place comes. */
  readonly adopted?: (() => string | undefined) | undefined;
  /** Steps may run in place where this does not look like a container. */
  readonly force?: boolean | undefined;
  /** Steps in place leave an empty root behind. */
  readonly cleanUp?: boolean | undefined;
  /** URL of the mirror that packages come from. */
  readonly mirror?: string | undefined;
  /** File with the keys that sign it. */
  readonly keyring?: string | undefined;
  /** Registries that may be spoken to without TLS. */
  readonly insecure: readonly string[];
  /** How registries are reached: mirrors, certificates, attempts. */
  readonly registries?: RegistrySettings | undefined;
  /** The daemons that build in place of this machine, as `--on` names them. */
  readonly on?: string | undefined;
  /** What TLS to these needs. */
  readonly tls?: TlsFiles | undefined;
}

/** Throws `USAGE` for a ground that there is not. */
export function groundOf(text: string): GroundText {
  const [name = '', ...details] = text.split(',');
  const ground = oneOf(GROUNDS, '--ground')(name);
  if (details.length === 0) return ground;
  if (ground !== 'containerd') throw usage(`read --ground "${text}": "${ground}" takes nothing more`);
  const wrong = details.find((detail) => !/^(address|namespace|snapshotter)=./.test(detail));
  if (wrong !== undefined)
    throw usage(
      `read --ground "${text}": "${wrong}"`,
      'Write containerd,address=SOCKET,namespace=NAME,snapshotter=NAME.',
    );
  return `containerd,${details.join(',')}`;
}

/** As `groundOf`, or what STRAKE_GROUND says; CONTAINERD_ADDRESS is containerd's socket where none is said, as for ctr. */
export function groundSetting(text: string | undefined, env: Io['env']): GroundText | undefined {
  const said = text ?? env['STRAKE_GROUND'];
  if (said === undefined || said === '') return undefined;
  const ground = groundOf(said);
  const address = env['CONTAINERD_ADDRESS'];
  if (!ground.startsWith('containerd') || ground.includes(',address=') || address === undefined || address === '')
    return ground;
  return `containerd,address=${address}${ground.slice('containerd'.length)}`;
}

/** Which containerd a ground names. */
function containerdPlace(
  ground: GroundText | undefined,
): Record<'address' | 'namespace' | 'snapshotter', string | undefined> {
  const details = new Map(
    (ground ?? '')
      .split(',')
      .slice(1)
      .map((detail): [string, string] => {
        const at = detail.indexOf('=');
        return [detail.slice(0, at), detail.slice(at + 1)];
      }),
  );
  const [address, namespace, snapshotter] = ['address', 'namespace', 'snapshotter'].map((name) => details.get(name));
  return { address, namespace, snapshotter };
}

/** The store's folder: --root, STRAKE_ROOT, $XDG_DATA_HOME/strake, ~/.local/share/strake. */
export function storeFolder(o: { root?: string | undefined } & Pick<Io, 'env' | 'home' | 'cwd'>): string {
  const { STRAKE_ROOT: own, XDG_DATA_HOME: data } = o.env as { STRAKE_ROOT?: string; XDG_DATA_HOME?: string };
  if (o.root !== undefined && o.root !== '') return resolve(o.cwd, o.root);
  if (own !== undefined && own !== '') return resolve(o.cwd, own);
  return join(data?.startsWith('/') ? data : join(o.home, '.local/share'), 'strake');
}

/** Opens the store and all that goes with it. */
export async function engineFor(settings: Settings): Promise<Engine> {
  const { openEngine } = await import('../../engine/index.ts');
  return openEngine({
    root: settings.root,
    keeper: keeperCommand(),
    executor: settings.executor,
    lateNetwork: settings.lateNetwork,
    ground: groundName(settings.ground),
    containerd: containerdPlace(settings.ground),
    plainGround: {
      allowed: settings.ground === 'auto',
      guarded: settings.guarded,
      adopted: settings.adopted,
      force: settings.force,
      cleanUp: settings.cleanUp,
      step: keeperCommand('__step'),
    },
    insecure: settings.insecure,
    registries: settings.registries,
    bases: {
      apt: async () => (await import('../../packages/index.ts')).readAptConfig(),
      named: new Map([
        ...(settings.ownBases === undefined ? [] : await namedBases(settings.ownBases)),
        ...(await namedBases(settings.project)),
      ]),
      mirror: settings.mirror,
      keyring: settings.keyring,
    },
  });
}

function groundName(text: GroundText | undefined): Exclude<GroundChoice, 'auto'> | undefined {
  const name = text?.split(',')[0] as GroundChoice | undefined;
  return name === 'auto' ? undefined : name;
}

/** What of a command line is a path that is there, or the folder of a file that is to be. The system's own folders are not among them: steps have theirs. */
export function pathsNamed(words: readonly string[], cwd: string): readonly string[] {
  return words
    .flatMap((word) => word.split(/[=,]/))
    .filter((word) => word !== '' && !word.includes('\0') && !word.includes('://'))
    .map((word) => resolve(cwd, word))
    .flatMap((path) => [path, dirname(path)].find((one) => existsSync(one)) ?? [])
    .filter((path) => !SYSTEM.test(path));
}

const SYSTEM = /^\/(?:bin|boot|etc|home|lib\w*|media|mnt|opt|root|run|sbin|srv|tmp|usr|var)?$/;

/** How this program is started again as a keeper. */
export function keeperCommand(word = '__keeper'): { command: string; args: readonly string[] } {
  const { execPath: command } = process;
  if (process.getBuiltinModule('node:sea').isSea()) return { command, args: [word] };
  return { command, args: [...process.execArgv, process.argv[1] ?? '', word] };
}

export async function credentialsFor(io: Io): Promise<Credentials> {
  const { Credentials } = await import('../../registry/index.ts');
  return new Credentials({
    env: io.env,
    home: io.home,
    uid: process.getuid?.(),
    random: io.random,
    warn: (message) => io.stderr.write(`${io.errStyle.yellow('warning')}: ${message}\n`),
  });
}

/** Logins, found when the first one is asked for. */
export function lazyCredentials(io: Io): CredentialLookup {
  let opening: Promise<Credentials> | undefined;
  return async (target, w) => (await (opening ??= credentialsFor(io))).lookup(target, w);
}

/** `[bases]` of strake.toml in a folder; none where there is no such file. */
async function namedBases(folder: string): Promise<Map<string, BaseRequest>> {
  const file = join(folder, 'strake.toml');
  if (!existsSync(file)) return new Map();
  const { parseToml } = await import('../../base/index.ts');
  const { basesTable } = await import('../../packages/index.ts');
  return basesTable(parseToml(readFileSync(file, 'utf8'), file), file);
}

/** True when --insecure-registry names the registry of this image. */
export async function isInsecure(name: string, settings: Settings): Promise<boolean> {
  if (settings.insecure.length === 0) return false;
  const { parseReference } = await import('../../image/index.ts');
  return settings.insecure.includes(parseReference(name).registry);
}
