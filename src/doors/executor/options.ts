import { resolve } from 'node:path';
import type { Platform } from '../../blob/index.ts';
import { hostPlatform, parsePlatform, parseReference } from '../../image/index.ts';
import { executorError } from './errors.ts';
import { EXECUTOR_FLAGS } from './flags.ts';
import type { ParsedFlags } from './parse-flags.ts';
import { registryOptions, type RegistryOptions } from './registry-options.ts';
import { secretOf, type Secret } from './secret.ts';
import { bad, Values } from './values.ts';

export interface GitOptions {
  readonly branch: string;
  readonly singleBranch: boolean;
  readonly depth: number;
  readonly recurseSubmodules: boolean;
  readonly insecureSkipTls: boolean;
}

/** What `executor` was asked for; paths are absolute. */
export interface ExecutorOptions {
  readonly context: string;
  readonly subPath: string | undefined;
  /** As given: a path of this machine or in the context, or a URL. */
  readonly dockerfile: string;
  readonly git: GitOptions;
  readonly destinations: readonly string[];
  readonly push: boolean;
  readonly tarPath: string | undefined;
  readonly layoutPath: string | undefined;
  readonly digestFile: string | undefined;
  readonly nameDigestFile: string | undefined;
  readonly nameTagDigestFile: string | undefined;
  readonly checkPush: boolean;
  readonly targets: readonly string[];
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: ReadonlyMap<string, string>;
  readonly platform: Platform;
  readonly secrets: readonly Secret[];
  readonly cache: {
    readonly use: boolean;
    /** Bases may come from the folder that warmer filled. */
    readonly bases: boolean;
    readonly push: boolean;
    readonly repo: string | undefined;
    readonly folder: string;
    /** Milliseconds. */
    readonly ttl: number;
  };
  readonly leaveOut: readonly string[];
  readonly singleSnapshot: boolean;
  readonly reproducible: boolean;
  readonly compression: { readonly name: 'gzip' | 'zstd'; readonly level?: number | undefined };
  readonly docker: boolean;
  readonly kanikoFolder: string | undefined;
  readonly cleanup: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly registries: RegistryOptions;
}

export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The options that flags and environment come to. Throws `FLAG_INVALID` and `FLAGS_CONFLICT`, in the order in which kaniko would complain. */
export function executorOptions(parsed: ParsedFlags, o: Surroundings): ExecutorOptions {
  const values = new Values(parsed, { flags: EXECUTOR_FLAGS, env: o.env });
  const path = (name: string): string | undefined => pathOf(values.text(name), o.cwd);
  const destinations = values.list('destination');
  const host = hostPlatform(process);
  const push = !noPush(values, o.env);
  const tarPath = path('tar-path');
  const compression = compressionOf(values);
  const format = values.text('image-format') ?? 'oci';
  if (format !== 'oci' && format !== 'docker') throw bad('--image-format', format, 'use docker or oci');
  const chosen = parsed.given.has('image-format');
  const names = { plain: path('image-name-with-digest-file'), tag: path('image-name-tag-with-digest-file') };
  if (push && destinations.length === 0)
    throw conflict(
      'you must provide --destination, or use --no-push',
      'Say where the image goes: -d registry/name:tag.',
    );
  if (format === 'docker' && compression.name === 'zstd')
    throw conflict('--compression=zstd cannot be used with --image-format=docker', 'Use --image-format=oci.');
  if (tarPath !== undefined && chosen && format === 'oci')
    throw conflict(
      '--tar-path writes a docker archive and cannot be used with --image-format=oci',
      'Use --oci-layout-path.',
    );
  if (tarPath !== undefined && compression.name === 'zstd')
    throw conflict('--compression=zstd cannot be used with --tar-path', 'Use --oci-layout-path for zstd layers.');
  const cache = {
    use: values.bool('cache') && values.bool('cache-run-layers'),
    bases: values.bool('cache'),
    push: !values.bool('no-push-cache'),
    repo: values.text('cache-repo') || undefined,
    folder: resolve(o.cwd, values.text('cache-dir') ?? '/cache'),
    ttl: values.span('cache-ttl'),
  };
  if (values.bool('cache') && cache.push && cache.repo === undefined && !push)
    throw conflict(
      'if using cache with --no-push, specify cache repo with --cache-repo',
      'Add --cache-repo registry/name.',
    );
  if (destinations.length === 0 && (names.plain !== undefined || names.tag !== undefined))
    throw conflict('a file for the name and digest needs a name', 'Name the image with --destination.');
  for (const destination of destinations)
    if (parseReference(destination).digest !== undefined)
      throw bad('--destination', destination, 'a digest cannot be given, it comes of the content');
  checkRest(values);
  const bucket = values.text('bucket');
  return {
    context: bucket === undefined ? (values.text('context') ?? '') : bucket.includes('://') ? bucket : `gs://${bucket}`,
    subPath: values.text('context-sub-path') || undefined,
    dockerfile: values.text('dockerfile') ?? 'Dockerfile',
    git: gitOptions(values.list('git')),
    destinations,
    push,
    tarPath,
    layoutPath: path('oci-layout-path'),
    digestFile: path('digest-file'),
    nameDigestFile: names.plain,
    nameTagDigestFile: names.tag,
    checkPush: !values.bool('skip-push-permission-check'),
    targets: values.words('target'),
    // A name alone takes the environment's value, empty where there is none.
    buildArgs: keyed(values.list('build-arg'), (name) => o.env[name] ?? ''),
    labels: keyed(values.list('label'), () => ''),
    annotations: values.pairs('annotation'),
    platform: parsePlatform(values.text('custom-platform') || `${host.os}/${host.architecture}`, host),
    secrets: secretsOf(values.list('secret'), o),
    cache,
    leaveOut: [
      ...(values.bool('ignore-var-run') ? ['/var/run'] : []),
      ...values.list('ignore-path').map((one) => resolve('/', one)),
    ],
    singleSnapshot: values.bool('single-snapshot'),
    reproducible: values.bool('reproducible'),
    compression,
    docker: format === 'docker',
    kanikoFolder: path('kaniko-dir'),
    cleanup: values.bool('cleanup'),
    force: values.bool('force'),
    dryRun: values.bool('dryrun'),
    registries: registryOptions(values, {
      ...o,
      destinations: [
        ...destinations,
        ...(cache.repo === undefined || cache.repo.startsWith('oci:') ? [] : [cache.repo]),
      ],
    }),
  };
}

/** Throws for values that have no part in what is built but can still be wrong. */
function checkRest(values: Values): void {
  const mode = values.text('snapshot-mode') ?? 'full';
  if (!['full', 'redo', 'time'].includes(mode)) throw bad('--snapshot-mode', mode, 'use full, redo or time');
  for (const name of [
    'cache-copy-layers',
    'compressed-caching',
    'pre-cleanup',
    'preserve-context',
    'materialize',
    'use-new-run',
    'skip-unused-stages',
    'force-build-metadata',
  ])
    values.bool(name);
  values.int('image-fs-extract-retry');
}

/** KANIKO_NO_PUSH wins over the flag, and must be a bool. */
function noPush(values: Values, env: Surroundings['env']): boolean {
  const text = env['KANIKO_NO_PUSH'];
  if (text === undefined) return values.bool('no-push');
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  if (/^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  throw bad('KANIKO_NO_PUSH', text, 'it is neither true nor false');
}

function conflict(message: string, remedy: string): Error {
  return executorError('FLAGS_CONFLICT', `read the flags: ${message}`, { remedy });
}

function pathOf(text: string | undefined, cwd: string): string | undefined {
  if (text === undefined || text === '') return undefined;
  return /^https?:\/\//.test(text) ? text : resolve(cwd, text);
}

function compressionOf(values: Values): ExecutorOptions['compression'] {
  const name = values.text('compression') ?? 'gzip';
  if (name !== 'gzip' && name !== 'zstd') throw bad('--compression', name, 'must be either "gzip" or "zstd"');
  const level = values.int('compression-level');
  const most = name === 'gzip' ? 9 : 22;
  if (level > most) throw bad('--compression-level', String(level), `the highest is ${most}`);
  // kaniko takes 0 and below for "the usual".
  return level > 0 ? { name, level } : { name };
}

function keyed(texts: readonly string[], alone: (name: string) => string): ReadonlyMap<string, string> {
  return new Map(
    texts.map((text) => {
      const equals = text.indexOf('=');
      return equals < 0 ? [text, alone(text)] : [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

function secretsOf(texts: readonly string[], o: Surroundings): readonly Secret[] {
  const found = new Map<string, Secret>();
  for (const text of texts) {
    const secret = secretOf(text, o);
    if (found.has(secret.id)) throw bad('--secret', text, `secret with ID "${secret.id}" is already defined`);
    found.set(secret.id, secret);
  }
  return [...found.values()];
}

function gitOptions(texts: readonly string[]): GitOptions {
  const given = new Map<string, string>();
  for (const text of texts) {
    const equals = text.indexOf('=');
    if (equals < 0) throw bad('--git', text, 'invalid git flag, must be in the key=value format');
    given.set(text.slice(0, equals), text.slice(equals + 1));
  }
  for (const key of given.keys())
    if (!['branch', 'single-branch', 'depth', 'recurse-submodules', 'insecure-skip-tls'].includes(key))
      throw bad('--git', key, 'there is no such key');
  const bool = (key: string): boolean => {
    const text = given.get(key) ?? 'false';
    if (!/^(1|t|true|0|f|false)$/i.test(text)) throw bad(`--git ${key}`, text, 'it is neither true nor false');
    return /^(1|t|true)$/i.test(text);
  };
  const depth = given.get('depth') ?? '0';
  if (!/^\d{1,9}$/.test(depth)) throw bad('--git depth', depth, 'it is not a whole number');
  return {
    branch: given.get('branch') ?? '',
    singleBranch: bool('single-branch'),
    depth: Number(depth),
    recurseSubmodules: bool('recurse-submodules'),
    insecureSkipTls: bool('insecure-skip-tls'),
  };
}
