import type { Platform } from '../../blob/index.ts';
import { parseConfig, type History, type ImageConfig, type RunConfig } from '../../image/index.ts';
import { splitVariable } from './environment.ts';

/** An image's config while its stages are converted: what BuildKit keeps of a base's, `created` and unknown members gone. Immutable. */
export type ImageDraft = Omit<ImageConfig, 'created' | 'config' | 'history'> & {
  readonly config: RunConfig;
  readonly history: readonly History[];
};

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const COMMENT = 'buildkit.dockerfile.v0';

/** What `FROM scratch` starts with. */
export function emptyDraft(platform: Platform): ImageDraft {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant === undefined ? {} : { variant: platform.variant }),
    ...(platform['os.version'] === undefined ? {} : { 'os.version': platform['os.version'] }),
    ...(platform['os.features'] === undefined ? {} : { 'os.features': platform['os.features'] }),
    config: {
      ...(platform.os === 'windows' ? {} : { Env: [`PATH=${DEFAULT_PATH}`] }),
      WorkingDir: '/',
    },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  };
}

/** What a base image's config hands on. Throws `CONFIG_INVALID`. */
export function draftOf(content: Uint8Array, what: string): ImageDraft {
  const found = parseConfig(content, what);
  const run: RunConfig = found.config ?? {};
  return {
    architecture: found.architecture,
    os: found.os,
    author: found.author || undefined,
    variant: found.variant || undefined,
    'os.version': found['os.version'] || undefined,
    'os.features': found['os.features'],
    config: {
      User: run.User || undefined,
      ExposedPorts: run.ExposedPorts ?? undefined,
      Env: run.Env ?? undefined,
      Entrypoint: run.Entrypoint ?? undefined,
      Cmd: run.Cmd ?? undefined,
      Volumes: run.Volumes ?? undefined,
      WorkingDir: run.WorkingDir || undefined,
      Labels: run.Labels ?? undefined,
      StopSignal: run.StopSignal || undefined,
      ArgsEscaped: run.ArgsEscaped || undefined,
      Healthcheck: run.Healthcheck ?? undefined,
      OnBuild: run.OnBuild ?? undefined,
      Shell: run.Shell ?? undefined,
    },
    rootfs: { type: 'layers', diff_ids: found.rootfs.diff_ids },
    history: found.history ?? [],
  };
}

/** With PATH, which every Linux image has. */
export function withPath(draft: ImageDraft, os: string): ImageDraft {
  const env = draft.config.Env ?? [];
  if (os === 'windows' || env.some((variable) => splitVariable(variable)[0] === 'PATH')) return draft;
  return withConfig(draft, { Env: [...env, `PATH=${DEFAULT_PATH}`] });
}

export function withConfig(draft: ImageDraft, change: Partial<RunConfig>): ImageDraft {
  return { ...draft, config: { ...draft.config, ...change } };
}

/** With a variable set: in its place if it is there, else at the end. */
export function withVariable(draft: ImageDraft, name: string, value: string): ImageDraft {
  const env = [...(draft.config.Env ?? [])];
  const at = env.findIndex((variable) => splitVariable(variable)[0] === name);
  env.splice(at < 0 ? env.length : at, 1, `${name}=${value}`);
  return withConfig(draft, { Env: env });
}

/** With an entry in the history (facts 1.9). */
export function withHistory(draft: ImageDraft, createdBy: string, layer: boolean): ImageDraft {
  const entry: History = { created_by: createdBy, comment: COMMENT, ...(layer ? {} : { empty_layer: true }) };
  return { ...draft, history: [...draft.history, entry] };
}

/** The shell that shell forms run in. */
export function shellOf(draft: ImageDraft): readonly string[] {
  const own = draft.config.Shell ?? [];
  if (own.length > 0) return own;
  return draft.os === 'windows' ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c'];
}

/** The config in the shape that BuildKit writes: members that are empty are left out. */
export function configOf(draft: ImageDraft): ImageConfig {
  const { config, ...rest } = draft;
  return { ...solid(rest), config: solid(config) } as ImageConfig;
}

function solid<T extends object>(value: T): Partial<T> {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => !isEmpty(member))) as Partial<T>;
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '' || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
