import { existsSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { findTool, looksSecret } from '../../../base/index.ts';
import type { Io } from '../io.ts';
import { storeFolder, type Settings } from '../settings.ts';
import type { BuildFlags } from './flags.ts';

export interface ReproduceOptions {
  /** The context, as given. */
  readonly place: string;
  readonly flags: BuildFlags;
  readonly settings: Settings;
  readonly io: Pick<Io, 'env' | 'home' | 'cwd'>;
  /** The stage of the step that failed, by its name or as `stage-N`; undefined where there is only one. */
  readonly stage: string | undefined;
  /** It is built by buildpacks. */
  readonly app?: boolean | undefined;
  /** How this program is called: `ownName`. */
  readonly program: string;
}

/**
 * The command line, for a shell, that comes to the step that failed again and opens a shell in it: what the build was given, without what only matters once it is done, up to the step's stage. Undefined where it cannot be given
 * again: from standard input. A value that looks like a secret is left out, and taken from the environment.
 */
export function reproduceLine(o: ReproduceOptions): string | undefined {
  const { flags, settings, place } = o;
  if (place === '-' || flags.file === '-') return undefined;
  const words: string[] = [o.program, 'build', '--on-error=shell'];
  const add = (name: string, ...values: readonly (string | undefined)[]): void => {
    for (const value of values) if (value !== undefined) words.push(name, withoutPassword(value));
  };
  if (settings.root !== storeFolder({ root: undefined, ...o.io })) add('--root', settings.root);
  add('-f', flags.file);
  add('--target', targetOf(o.stage) ?? flags.target);
  add('--build-arg', ...flags.buildArg.map(shownArg));
  add('--build-context', ...flags.buildContext);
  add('--platform', ...flags.platform);
  add('--cache-from', ...flags.cacheFrom);
  if (flags.pull) words.push('--pull');
  if (flags.network !== 'default') add('--network', flags.network);
  add('--add-host', ...flags.addHost);
  add('--shm-size', flags.shmSize);
  add('--ulimit', ...flags.ulimit);
  add('--memory', flags.memory);
  add('--memory-swap', flags.memorySwap);
  add('--cpu-shares', flags.cpuShares);
  add('--cpu-period', flags.cpuPeriod);
  add('--cpu-quota', flags.cpuQuota);
  add('--cpuset-cpus', flags.cpusetCpus);
  add('--cpuset-mems', flags.cpusetMems);
  add('--executor', settings.executor);
  add('--ground', settings.ground);
  add('--secret', ...flags.secret);
  add('--ssh', ...flags.ssh);
  add('--allow', ...flags.allow);
  add('--source-policy', flags.sourcePolicy);
  add('--insecure-registry', ...settings.insecure);
  add('--mirror', settings.mirror);
  add('--keyring', settings.keyring);
  if (o.app) addApp(flags, add, (word) => void words.push(word));
  words.push(withoutPassword(place));
  return words.map(quoted).join(' ');
}

/** What buildpacks were given; what they keep for each other is found by the same names. */
function addApp(
  flags: BuildFlags,
  add: (name: string, ...values: readonly (string | undefined)[]) => void,
  say: (word: string) => void,
): void {
  if (flags.byBuildpacks) say('--by-buildpacks');
  if (flags.disableSystemBuildpacks) say('--disable-system-buildpacks');
  // The image before, and what buildpacks have kept, go by the name.
  add('--tag', ...flags.tag);
  add('--builder', flags.builder);
  add('--buildpack', ...(flags.buildpack ?? []));
  add('--pre-buildpack', ...(flags.preBuildpack ?? []));
  add('--post-buildpack', ...(flags.postBuildpack ?? []));
  add('--extension', ...(flags.extension ?? []));
  add('--buildpack-registry', flags.buildpackRegistry);
  add('--env', ...(flags.env ?? []).map(shownArg));
  add('--env-file', ...(flags.envFile ?? []));
  add('--exec-env', flags.execEnv);
  add('--run-image', flags.runImage);
  add('--pull-policy', flags.pullPolicy);
  add('--workspace', flags.workspace);
  add('--descriptor', flags.descriptor);
  add('--binding', ...(flags.binding ?? []));
  add('--previous-image', flags.previousImage);
  add('--cache-image', flags.cacheImage);
  add('--cache-volume', flags.cacheVolume);
  add('--step-cache', flags.stepCache);
}

/** How this program can be called in a shell here: by its name where it is on PATH, else by its path. */
export function ownName({ env, cwd }: Pick<Io, 'env' | 'cwd'>): string {
  const { execPath, argv } = process;
  if (findTool('strake', env['PATH'] ?? '') !== undefined) return 'strake';
  if (process.getBuiltinModule('node:sea').isSea()) return execPath;
  // The launcher of a checkout, which lies above the bundle or the source that runs.
  let folder = dirname(argv[1] ?? '');
  for (let up = 0; up < 4; up += 1, folder = dirname(folder)) {
    const launcher = join(folder, 'strake');
    if (!existsSync(launcher) || !existsSync(join(folder, 'package.json'))) continue;
    const near = relative(cwd, launcher);
    return near.startsWith('..') ? launcher : `./${near}`;
  }
  return 'strake';
}

/** A stage without a name goes by its number. */
function targetOf(stage: string | undefined): string | undefined {
  return stage === undefined ? undefined : (/^stage-(\d+)$/.exec(stage)?.[1] ?? stage);
}

function shownArg(text: string): string {
  const at = text.indexOf('=');
  if (at < 0) return text;
  const name = text.slice(0, at);
  return looksSecret(name, text.slice(at + 1)) ? name : text;
}

/** An address keeps its user and loses the password. */
function withoutPassword(text: string): string {
  return text.replace(/(:\/\/[^/\s:@]*):[^/\s@]*@/g, '$1@');
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
