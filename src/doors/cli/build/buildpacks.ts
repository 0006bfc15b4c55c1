import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { basename, isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../../../base/index.ts';
import { EMBEDDED_BUILDPACKS, EMBEDDED_LAUNCHERS, type ModuleLocator } from '../../../frontend/buildpack/index.ts';
import { canonicalReference, parseReference } from '../../../image/index.ts';
import { readUserConfig, type UserConfig } from '../buildpack/user-config.ts';
import { cliError, usage } from '../errors.ts';
import type { Io } from '../io.ts';
import type { SecretSource } from '../parse/secret.ts';
import { buildCachePlace } from '../parse/build-cache.ts';
import { csvPairs } from '../parse/csv.ts';
import { keyValues } from '../parse/values.ts';
import type { BuildpackFlags } from './app-folder.ts';
import type { BuildContext } from './context.ts';
import { bindingsOf, machineTrust } from './bindings.ts';
import { embeddedFolder } from './embedded-folder.ts';
import { npmRegistry } from './npm-registry.ts';

/** What the flags come to: the frontend's options, and what this side offers for them. */
export interface BuildpackPlan {
  readonly options: Readonly<Record<string, string>>;
  readonly folders: ReadonlyMap<string, string>;
  /** The folder of strake.toml with the bases that the embedded builder is made of. */
  readonly bases: string;
  readonly secrets: ReadonlyMap<string, SecretSource>;
  /** A folder for what buildpacks keep, and the name of its copy in the store. */
  readonly bind?: { readonly folder: string; readonly name: string } | undefined;
}

export function planBuildpacks(
  flags: BuildpackFlags & {
    readonly tag: readonly string[];
    readonly secret: readonly string[];
    readonly network: string;
    readonly pull?: boolean | undefined;
    /** `--no-cache` makes it false. */
    readonly cache?: boolean | undefined;
  },
  o: {
    readonly io: Pick<Io, 'cwd' | 'env' | 'home'>;
    readonly context: BuildContext;
    readonly publish: boolean;
    readonly buildId: string;
  },
): BuildpackPlan {
  const { io, context } = o;
  const folders = new Map<string, string>([
    [EMBEDDED_BUILDPACKS, embeddedFolder('buildpacks')],
    [EMBEDDED_LAUNCHERS, embeddedFolder('launchers')],
  ]);
  const locate = (texts: readonly string[] = []): string | undefined => {
    const found = texts.flatMap((text) => text.split(',')).map((text) => locatorOf(text, { cwd: io.cwd, folders }));
    return found.length > 0 ? JSON.stringify(found) : undefined;
  };
  const [tag] = flags.tag;
  const image = tag === undefined ? undefined : canonicalReference(parseReference(tag));
  const config = readUserConfig(io);
  const builder = flags.builder ?? config.defaultBuilder;
  const cache = cachePlaces(flags, io);
  const cacheStore = cacheName(cache.of ?? image ?? context.folder ?? '', flags.execEnv);
  const bindings = new Map([
    ...(builder === undefined ? machineTrust(io.env) : []),
    ...bindingsOf(flags.binding ?? [], io.cwd),
  ]);
  const options: Record<string, string | undefined> = {
    builder: flags.builder,
    'default-builder': config.defaultBuilder,
    'run-image': flags.runImage,
    image,
    'previous-image': flags.previousImage,
    publish: o.publish ? '' : undefined,
    pull: pullOf(flags, config),
    'no-system-buildpacks': flags.disableSystemBuildpacks === true ? '' : undefined,
    'exec-env': flags.execEnv,
    'default-process': flags.defaultProcess,
    workspace: flags.workspace,
    network: flags.network,
    'cache-store': cacheStore,
    'cache-registry': cache.image,
    'clear-cache': flags.clearCache === true ? '' : undefined,
    'step-cache': flags.stepCache,
    'no-cache': flags.cache === false ? '' : undefined,
    'build-id': o.buildId,
    buildpacks: locate(flags.buildpack),
    'pre-buildpacks': locate(flags.preBuildpack),
    'post-buildpacks': locate(flags.postBuildpack),
    extensions: locate(flags.extension),
    descriptor: flags.descriptor,
    ...volumesOf(flags.volume ?? [], { cwd: io.cwd, folders }),
    secrets: flags.secret.length > 0 ? flags.secret.map(secretFor).join(',') : undefined,
    ...proxies(io.env),
    ...withRegistry(variables(flags, io), { ...o, builder }),
    ...Object.fromEntries([...bindings].map(([name, files]) => [`binding:${name}`, [...files.keys()].join(',')])),
  };
  return {
    options: Object.fromEntries(
      Object.entries(options).filter((pair): pair is [string, string] => pair[1] !== undefined),
    ),
    folders,
    bases: embeddedFolder('buildpacks'),
    bind: cache.folder === undefined ? undefined : { folder: cache.folder, name: cacheStore },
    secrets: new Map(
      [...bindings].flatMap(([name, files]) =>
        [...files].map(([file, path]) => [`binding:${name}/${file}`, { file: path }] as const),
      ),
    ),
  };
}

/** Where the cache is: by `--cache`, or by the flags that say one thing of it; `of` is what it is named after. */
function cachePlaces(
  {
    buildCache = [],
    cacheImage,
    cacheVolume,
    platform = [],
  }: BuildpackFlags & { readonly platform?: readonly string[] },
  io: Pick<Io, 'cwd'>,
): { readonly image?: string | undefined; readonly folder?: string | undefined; readonly of?: string | undefined } {
  const { image, volume, folder } = buildCachePlace(buildCache, io);
  if ((image ?? volume ?? folder) !== undefined && (cacheImage ?? cacheVolume) !== undefined)
    throw usage('keep a cache: --cache goes neither with --cache-image nor with --cache-volume', 'Give one of them.');
  if (folder !== undefined && platform.flatMap((text) => text.split(',')).length > 1)
    throw usage(
      'keep a cache in a folder: a folder holds that of one platform',
      'Build one platform, or take format=volume.',
    );
  return {
    image: image ?? cacheImage,
    folder,
    of: folder === undefined ? (volume ?? cacheVolume) : `bind:${folder}`,
  };
}

/** pack's words for when images are asked for; the flag wins over what the user has set. */
function pullOf(
  flags: BuildpackFlags & { readonly pull?: boolean | undefined },
  { pullPolicy }: UserConfig,
): string | undefined {
  const policy = flags.pullPolicy ?? (flags.pull === true ? 'always' : pullPolicy);
  return policy === 'if-not-present' ? 'missing' : policy;
}

/** A name in the store for what a build of this image keeps, as pack names its volumes: the image's, and a digest of it. */
function cacheName(of: string, execEnv = 'production'): string {
  const hex = createHash('sha256').update(`${of}\0${execEnv}`).digest('hex').slice(0, 12);
  const word = basename(of.replace(/[@:][^/]*$/, ''))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-');
  return `cache.local/${/^[a-z0-9]/.test(word) ? word : 'app'}-${hex}:build`;
}

/** `id` or `id=buildpack` of `--secret id=…[,buildpack=ID]`. */
function secretFor(text: string): string {
  const fields = csvPairs(text, '--secret');
  const buildpack = fields.get('buildpack');
  return buildpack === undefined ? (fields.get('id') ?? '') : `${fields.get('id') ?? ''}=${buildpack}`;
}

/** The variables, and of this machine's configuration what the embedded buildpacks have to know, where no variable says it. */
function withRegistry(
  variables: Record<string, string>,
  o: { readonly io: Pick<Io, 'env' | 'home'>; readonly context: BuildContext; readonly builder?: string | undefined },
): Record<string, string> {
  const name = 'env:NPM_CONFIG_REGISTRY';
  const { folder } = o.context;
  const found =
    o.builder === undefined && folder !== undefined && !(name in variables) ? npmRegistry(folder, o.io) : undefined;
  return found === undefined ? variables : { ...variables, [name]: found };
}

/** The proxies of this machine, for steps: as pack hands them on. */
function proxies(env: Io['env']): Record<string, string> {
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = env[name];
      return value === undefined || value === '' ? [] : [[`proxy:${name}`, value]];
    }),
  );
}

/** `--env` and `--env-file`, a name alone taking its value from here (pack's rule); a flag wins over a file. */
function variables(flags: BuildpackFlags, io: Pick<Io, 'cwd' | 'env'>): Record<string, string> {
  const alone = (name: string): string | undefined => io.env[name];
  const found = new Map<string, string>();
  for (const path of flags.envFile ?? []) {
    let text: string;
    try {
      text = readFileSync(resolve(io.cwd, path), 'utf8');
    } catch (error) {
      throw usage(`read --env-file "${path}": ${messageOf(error)}`);
    }
    const lines = text.split(/\r?\n/).filter((line) => line.trim() !== '' && !line.startsWith('#'));
    for (const [name, value] of keyValues(lines, { what: `--env-file "${path}"`, alone })) found.set(name, value);
  }
  for (const [name, value] of keyValues(flags.env ?? [], { what: '--env', alone })) found.set(name, value);
  return Object.fromEntries([...found].map(([name, value]) => [`env:${name}`, value]));
}

/** `--volume FOLDER:TARGET[:ro]`. Steps read what is in their graph, so nothing can be written there. */
function volumesOf(
  texts: readonly string[],
  o: { readonly cwd: string; readonly folders: Map<string, string> },
): Record<string, string> {
  const options: Record<string, string> = {};
  for (const text of texts) {
    const [, source = '', target = '', words = 'ro'] = /^([^:]+):(\/[^:]*)(?::(.*))?$/.exec(text) ?? [];
    if (source === '') throw usage(`read --volume "${text}": it has not the form folder:target[:ro]`);
    if (words !== 'ro')
      throw cliError('BUILDPACK_UNSUPPORTED', `read --volume "${text}": a build may only read it ("${words}")`, {
        remedy: 'Write :ro; what buildpacks keep goes into their layers.',
      });
    if (/^\/(?:cnb|layers|platform|proc|sys|dev)?(?:\/|$)/.test(target))
      throw usage(`read --volume "${text}": "${target}" is the platform's own`, 'Name another target.');
    const folder = resolve(o.cwd, source);
    if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true)
      throw usage(`read --volume "${text}": there is no folder "${source}"`, 'Name a folder of this machine.');
    const name = `volume-${Object.keys(options).length}`;
    o.folders.set(name, folder);
    options[`volume:${target}`] = name;
  }
  return options;
}

/** Where a buildpack comes from (pack's locators, in the order that it tries them). What has to be brought first is an image by now (`bring-modules.ts`). */
function locatorOf(text: string, o: { cwd: string; folders: Map<string, string> }): ModuleLocator {
  if (text === 'from=builder') return { type: 'order' };
  const inBuilder = /^(?:from=builder:|urn:cnb:builder:)([^@]+)(?:@(.+))?$/.exec(text);
  if (inBuilder?.[1] !== undefined) return { type: 'builder', id: inBuilder[1], version: inBuilder[2] };
  if (text.startsWith('docker://'))
    return { type: 'image', reference: text.slice('docker://'.length).replace(/^\//, '') };
  if (text.trim() === '') throw usage('use buildpack "": it has no name', 'Name a buildpack, or leave the flag out.');
  const path = text.startsWith('file://') ? pathOf(text) : text;
  const folder = isAbsolute(path) ? path : resolve(o.cwd, path);
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat?.isDirectory()) {
    const name = `buildpack-${o.folders.size}`;
    o.folders.set(name, folder);
    return { type: 'local', name };
  }
  if (text.startsWith('file://') || stat)
    throw cliError('BUILDPACK_UNSUPPORTED', `use buildpack "${text}": ${stat ? 'it is no folder' : 'no such folder'}`, {
      remedy: 'Name a folder with a buildpack.toml.',
    });
  return { type: 'name', text };
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw usage(`use buildpack "${url}": ${messageOf(error)}`, 'Write a folder of this machine as file:///FOLDER.');
  }
}
