import { collect, hasCode, type Bytes } from '../base/index.ts';
import { parseDigest, type Platform } from '../blob/index.ts';
import type { Healthcheck, History, ImageConfig, RunConfig } from './config.ts';
import { imageError } from './errors.ts';
import { goJson, unlessEmpty, type GoValue } from './go-json.ts';
import { normalizePlatform } from './platform.ts';

/** No larger config is read: an inline cache can make it far larger than a manifest. */
export const CONFIG_LIMIT = 16 << 20;

/** All of a config's bytes. Throws `CONFIG_INVALID` above 16 MiB. */
export async function collectConfig(content: Bytes, what: string): Promise<Uint8Array> {
  try {
    return await collect(content, { limit: CONFIG_LIMIT, what });
  } catch (error) {
    if (hasCode(error, 'TOO_MANY_BYTES'))
      throw imageError('CONFIG_INVALID', `read ${what}: larger than ${CONFIG_LIMIT} bytes`);
    throw error;
  }
}

/** Reads an image's config; members we do not know are kept. Throws `CONFIG_INVALID`. */
export function parseConfig(content: Uint8Array, what = 'image config'): ImageConfig {
  const bad = (detail: string): Error => imageError('CONFIG_INVALID', `read ${what}: ${detail}`);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(content));
  } catch (error) {
    throw bad(error instanceof SyntaxError ? `not JSON: ${error.message}` : 'not UTF-8');
  }
  if (!isObject(value)) throw bad('not a JSON object');
  for (const key of ['architecture', 'os', 'variant', 'os.version', 'created', 'author'])
    if (value[key] !== undefined && value[key] !== null && typeof value[key] !== 'string')
      throw bad(`"${key}" is not a text`);
  const { rootfs, history, config } = value;
  if (!isObject(rootfs)) throw bad('"rootfs" is missing');
  const ids = rootfs['diff_ids'] ?? [];
  if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string'))
    throw bad('"rootfs.diff_ids" is not a list of digests');
  if (history !== undefined && history !== null && !(Array.isArray(history) && history.every((item) => isObject(item))))
    throw bad('"history" is not a list of objects');
  if (config !== undefined && config !== null && !isObject(config)) throw bad('"config" is not an object');
  return {
    ...value,
    architecture: (value['architecture'] as string | undefined) ?? '',
    os: (value['os'] as string | undefined) ?? '',
    rootfs: { ...rootfs, type: 'layers', diff_ids: ids.map((id) => parseDigest(id)) },
    history: history ?? undefined,
    config: config ?? undefined,
  };
}

/**
 * A config's bytes as BuildKit writes them (exporter/containerimage/writer.go): one line, top-level members sorted, inner ones in the order of Go's types with what is empty left out; members we do not know follow, sorted.
 */
export function encodeConfig(config: ImageConfig): Uint8Array {
  const { config: run, history, rootfs, ...rest } = config;
  return Buffer.from(
    goJson({
      ...withoutEmpty(rest as { readonly [key: string]: GoValue | undefined }),
      architecture: config.architecture,
      os: config.os,
      config: runValue(run ?? {}),
      rootfs: ordered(rootfs, ['type', 'diff_ids'], { keepEmpty: true }),
      history: history?.map((entry) => historyValue(entry)),
    }),
  );
}

/** The platform that a config says its image is for, normalised. */
export function platformOf(config: ImageConfig): Platform {
  return normalizePlatform(config);
}

const RUN_ORDER = [
  'User',
  'ExposedPorts',
  'Env',
  'Entrypoint',
  'Cmd',
  'Volumes',
  'WorkingDir',
  'Labels',
  'StopSignal',
  'ArgsEscaped',
  'Healthcheck',
  'OnBuild',
  'Shell',
] as const;
const HEALTH_ORDER = ['Test', 'Interval', 'Timeout', 'StartPeriod', 'StartInterval', 'Retries'] as const;
const HISTORY_ORDER = ['created', 'created_by', 'author', 'comment', 'empty_layer'] as const;

function runValue(run: RunConfig): GoValue {
  const { Healthcheck, ...rest } = run;
  const health: GoValue | undefined = Healthcheck ? healthValue(Healthcheck) : undefined;
  return ordered({ ...rest, Healthcheck: health }, RUN_ORDER, { keep: ['Healthcheck'] });
}

function healthValue(health: Healthcheck): GoValue {
  return ordered(health, HEALTH_ORDER);
}

function historyValue(entry: History): GoValue {
  return ordered(entry, HISTORY_ORDER);
}

/** A struct: the members of `order` first, then the others sorted; empty ones left out but those to be kept. */
function ordered(
  value: object,
  order: readonly string[],
  options: { keepEmpty?: boolean; keep?: readonly string[] } = {},
): GoValue {
  const source = value as { readonly [key: string]: GoValue | undefined };
  const others = Object.keys(source)
    .filter((key) => !order.includes(key))
    .sort();
  return new Map(
    [...order, ...others].map((key) => [
      key,
      options.keepEmpty || options.keep?.includes(key) ? source[key] : unlessEmpty(source[key]),
    ]),
  );
}

function withoutEmpty(value: { readonly [key: string]: GoValue | undefined }): Record<string, GoValue | undefined> {
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, unlessEmpty(member)]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
