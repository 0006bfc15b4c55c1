import { isIP } from 'node:net';
import type { Platform } from '../../blob/index.ts';
import type { ExecOp, ImageSource, Resources } from '../../graph/index.ts';
import { normalizePlatform, parsePlatform } from '../../image/index.ts';
import type { FrontendRequest } from '../index.ts';
import { csvFields } from './csv.ts';
import { dockerfileError, located } from './errors.ts';
import { parseBool, quote } from './go-text.ts';
import { readResources } from './resources.ts';
import { readSubrequest, type Subrequest } from './subrequest.ts';
import { parseLintConfig, type LintConfig } from './lint.ts';

/** The frontend's options, checked (dockerui's names). */
export interface Options {
  /** Where the Dockerfile is in the source named `dockerfile`. */
  readonly filename: string;
  /** Where the build context is, if not in a local source. */
  readonly context: {
    /** Name of the local source: `context` by default. */
    readonly name: string;
    /** A repository or an address of the web; anything else says nothing. */
    readonly address: string;
    readonly subdir: string | undefined;
    readonly keepGitDir: boolean;
    /** Name of the local source that holds the Dockerfile, wherever the context is. */
    readonly dockerfileKey: string | undefined;
  };
  /** "" is the last stage. */
  readonly target: string;
  readonly buildArgs: ReadonlyMap<string, string>;
  readonly labels: readonly (readonly [string, string])[];
  /** Stages that are not taken from the cache; `all`; or none. */
  readonly noCache: 'all' | readonly string[];
  readonly platforms: readonly Platform[];
  /** The result is an index, also when it is for one platform. */
  readonly multiPlatform: boolean;
  readonly buildPlatform: Platform;
  /** Nobody asked for a platform: the base image may decide. */
  readonly implicitPlatform: boolean;
  readonly extraHosts: NonNullable<ExecOp['extraHosts']>;
  readonly network: ExecOp['network'];
  readonly shmSize: number | undefined;
  readonly ulimits: NonNullable<ExecOp['ulimits']>;
  readonly hostname: string | undefined;
  readonly resources: Resources | undefined;
  readonly cgroupParent: string | undefined;
  /** Goes before the names of cache mounts. */
  readonly cacheNamespace: string;
  readonly pull: ImageSource['pull'];
  /** By name, maybe with `::platform`: what `FROM name` and `--from=name` mean instead. */
  readonly contexts: ReadonlyMap<string, string>;
  /** Configs of inputs, by the input's name: JSON of BuildKit's `input-metadata:`. */
  readonly inputMetadata: ReadonlyMap<string, string>;
  /** Replaces the file's own `# check=`. */
  readonly lint: LintConfig | undefined;
  /** What is asked about the Dockerfile instead of a build. */
  readonly subrequest: Subrequest | undefined;
  /** A frontend named by BUILDKIT_SYNTAX. */
  readonly syntax: string | undefined;
}

const ULIMITS: ReadonlySet<string> = new Set(
  'core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack'.split(' '),
);

/** Checks what the asking side wants. Throws `DOCKERFILE_OPTION`. */
export function readOptions(request: FrontendRequest): Options {
  const { options } = request;
  const buildArgs = new Map(withPrefix(options, 'build-arg:'));
  if (request.epoch !== undefined && !buildArgs.has('SOURCE_DATE_EPOCH'))
    buildArgs.set('SOURCE_DATE_EPOCH', String(request.epoch));
  const platforms = readPlatforms(request);
  const check = buildArgs.get('BUILDKIT_DOCKERFILE_CHECK');
  return {
    filename: options['filename'] || 'Dockerfile',
    context: {
      name: options['contextkey'] || 'context',
      address: options[options['contextkey'] || 'context'] ?? '',
      subdir: options['contextsubdir'] || undefined,
      keepGitDir: parseBool(buildArgs.get('BUILDKIT_CONTEXT_KEEP_GIT_DIR') ?? '') === true,
      dockerfileKey: options['dockerfilekey'] || undefined,
    },
    target: options['target'] ?? '',
    buildArgs,
    labels: withPrefix(options, 'label:'),
    noCache: readNoCache(options['no-cache']),
    platforms: platforms.length === 0 ? [request.buildPlatform] : platforms,
    multiPlatform: readMultiPlatform(options, platforms.length),
    buildPlatform: request.buildPlatform,
    implicitPlatform: platforms.length === 0,
    extraHosts: readHosts(options['add-hosts'] ?? ''),
    network: readNetwork(options['force-network-mode'] ?? ''),
    shmSize: readShmSize(options['shm-size'] ?? ''),
    ulimits: fields('ulimit', options['ulimit'] ?? '').map(readUlimit),
    hostname: buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') || options['hostname'] || undefined,
    resources: readResources(options),
    cgroupParent: options['cgroup-parent'] || undefined,
    cacheNamespace: buildArgs.get('BUILDKIT_CACHE_MOUNT_NS') ?? '',
    pull: readPull(options['image-resolve-mode'] ?? ''),
    contexts: new Map(withPrefix(options, 'context:')),
    inputMetadata: new Map(withPrefix(options, 'input-metadata:')),
    lint: check === undefined ? undefined : parseLintConfig(check),
    subrequest: readSubrequest(options['requestid']),
    syntax: buildArgs.get('BUILDKIT_SYNTAX')?.trim() || undefined,
  };
}

/** An index was asked for, or there are several platforms. */
function readMultiPlatform(options: FrontendRequest['options'], platforms: number): boolean {
  const text = options['build-arg:BUILDKIT_MULTI_PLATFORM'] || options['multi-platform'] || '';
  if (text === '') return platforms > 1;
  const asked = parseBool(text);
  if (asked === undefined)
    throw wrong('multi-platform', `invalid boolean value for multi-platform: ${text}`, 'Use true or false.');
  if (!asked && platforms > 1)
    throw wrong(
      'multi-platform',
      'conflicting config: returning multiple target platforms is not allowed',
      'Build for one platform, or leave the option out.',
    );
  return asked;
}

/** True when the stage of this name (as written, maybe "") is not to be taken from the cache. */
export function ignoresCache(options: Options, stage: string): boolean {
  if (options.noCache === 'all') return true;
  return options.noCache.some((name) => name.toLowerCase() === stage.toLowerCase());
}

function readPlatforms(request: FrontendRequest): readonly Platform[] {
  const asked = request.options['platform'] ?? '';
  try {
    if (asked !== '') return asked.split(',').map((text) => parsePlatform(text.trim(), request.buildPlatform));
  } catch (error) {
    throw located(error, { file: 'option "platform"', line: 1, text: asked }, 'failed to parse target platform: ');
  }
  return request.platforms.map(normalizePlatform);
}

function readNoCache(text: string | undefined): Options['noCache'] {
  if (text === undefined) return [];
  return text === '' ? 'all' : text.split(',');
}

function readHosts(text: string): Options['extraHosts'] {
  return fields('add-hosts', text).map((field) => {
    const equals = field.indexOf('=');
    if (equals < 0) throw wrong('add-hosts', `invalid key-value pair ${field}`, 'Write host=address.');
    const ip = field.slice(equals + 1).replace(/^\[(.*)\]$/, '$1');
    if (isIP(ip) === 0)
      throw wrong('add-hosts', `failed to parse IP ${ip}`, 'Write host=address with an IPv4 or IPv6 address.');
    return { host: field.slice(0, equals).toLowerCase(), ip: ip.toLowerCase() };
  });
}

function readNetwork(text: string): ExecOp['network'] {
  if (text === '' || text === 'sandbox' || text === 'default') return 'default';
  if (text === 'none' || text === 'host') return text;
  throw wrong('force-network-mode', `invalid netmode ${text}`, 'Use default, none or host.');
}

function readShmSize(text: string): number | undefined {
  if (text === '') return undefined;
  if (!/^\d{1,15}$/.test(text))
    throw wrong('shm-size', `${quote(text)} is not a number of bytes`, 'Give the size in bytes.');
  return Number(text) || undefined;
}

function readUlimit(text: string): Options['ulimits'][number] {
  const match = /^([^=]*)=([^:]*)(?::([^:]*))?$/.exec(text);
  if (match === null) throw wrong('ulimit', `invalid ulimit argument: ${text}`, 'Write name=soft[:hard].');
  const name = match[1] ?? '';
  if (!ULIMITS.has(name))
    throw wrong('ulimit', `invalid ulimit type: ${name}`, `Use one of ${[...ULIMITS].join(', ')}.`);
  const number = (value: string): number => {
    if (/^[+-]?\d+$/.test(value)) return Number(value);
    throw wrong('ulimit', `${quote(value)} is not a number`, 'Write name=soft[:hard] with numbers; -1 is unlimited.');
  };
  const soft = number(match[2] ?? '');
  const hard = match[3] === undefined ? soft : number(match[3]);
  if (hard !== -1 && (soft === -1 || soft > hard))
    throw wrong(
      'ulimit',
      `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`,
      'Raise the hard limit or lower the soft one.',
    );
  return { name, soft, hard };
}

function readPull(text: string): ImageSource['pull'] {
  if (text === '' || text === 'default' || text === 'local') return 'missing';
  if (text === 'pull') return 'always';
  throw wrong('image-resolve-mode', `invalid image-resolve-mode: ${text}`, 'Use default, pull or local.');
}

function fields(option: string, text: string): readonly string[] {
  if (text === '') return [];
  const found = csvFields(text);
  if (found === undefined) throw wrong(option, `failed to parse ${quote(text)}`, 'Write comma-separated values.');
  return found;
}

function withPrefix(options: FrontendRequest['options'], prefix: string): readonly (readonly [string, string])[] {
  return Object.keys(options)
    .filter((name) => name.startsWith(prefix))
    .sort()
    .map((name) => [name.slice(prefix.length), options[name] ?? ''] as const);
}

function wrong(option: string, detail: string, remedy: string): Error {
  return dockerfileError('DOCKERFILE_OPTION', `read option "${option}": ${detail}`, { remedy });
}
