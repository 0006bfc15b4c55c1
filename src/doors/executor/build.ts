import { appendFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { HttpClient, makeFolder, tempFolder, type Wait } from '../../base/index.ts';
import type { BuildRequest, BuildResult, Engine, ExportRequest, ImageMetadata } from '../../engine/index.ts';
import { formatPlatform, parseReference } from '../../image/index.ts';
import { RegistryClient, type CredentialLookup } from '../../registry/index.ts';
import { folderSource, StatCache } from '../../tree/index.ts';
import type { BuildHost } from '../../worker/index.ts';
import { engineFor, groundSetting, localHost, storeFolder, type Io } from '../cli/index.ts';
import { basesOf } from './bases-of.ts';
import type { Cloud } from '../../cloud/index.ts';
import { openContext, type OpenedContext } from './contexts/open-context.ts';
import { nameOf, wantsDigest, writeDigestFiles } from './digest-files.ts';
import { tellPlan } from './dry-run.ts';
import { findDockerfile, type DockerfilePlace } from './find-dockerfile.ts';
import { CACHE_SINK, cachePlace, layerCache, type LayerCache } from './layer-cache.ts';
import type { Log } from './log.ts';
import { logins } from './logins/logins.ts';
import type { ExecutorOptions } from './options.ts';
import { during } from './stage.ts';
import { storyTeller } from './story.ts';
import { warmedOf } from './warm-folder.ts';

/** The name that kaniko gives an archive's image that has none. */
const UNNAMED = 'docker.io/unset-repo/unset-image-name:latest';

export interface Doing extends Wait {
  readonly io: Io;
  readonly log: Log;
}

/** `executor`: the context, the question whether pushing is allowed, the build, and what is told of it in files. */
export async function build(options: ExecutorOptions, o: Doing): Promise<void> {
  const { io, log, signal } = o;
  await using http = new HttpClient({ env: io.env });
  const cloud: Cloud = { http, env: io.env, home: io.home, clock: io.clock };
  const root = rootOf(options, io);
  makeFolder(join(root, 'tmp'), 0o700);
  using scratch = tempFolder(join(root, 'tmp'), io.random);
  const shared = { cloud, log, cwd: io.cwd, scratch: scratch.path, signal };
  const context = await during('error resolving source context', () =>
    openContext(options.context, { ...shared, stdin: io.stdin, git: options.git, subPath: options.subPath }),
  );
  const dockerfile = await during('error resolving dockerfile path', () =>
    findDockerfile(options.dockerfile, { ...shared, http, context: context.folder }),
  );
  if (options.dryRun) return await tellPlan(dockerfile, { options, write: (text) => io.stdout.write(text) });
  const credentials = logins({ cloud, random: io.random, helpers: options.registries.helpers, log });
  await using client = new RegistryClient({
    ...options.registries.settings,
    clock: io.clock,
    random: io.random,
    credentials,
    env: io.env,
    notice: ({ message }) => log.warn(message),
  });
  await during('error checking push permissions', () => checkPush(options, { client, log, signal }));
  const result = await during(
    'error building image',
    () => buildImage(options, { ...o, root, context, dockerfile, credentials, client }),
    sourceOf(dockerfile),
  );
  await during('error pushing image', () => tellResult(result, options, { io, log, http, signal }));
  if (options.cleanup && options.kanikoFolder !== undefined && root === join(options.kanikoFolder, 'store'))
    rmSync(root, { recursive: true, force: true });
}

/** The lines around a place in the Dockerfile, read before the build: one that was brought here goes with it. */
function sourceOf({ folder, name }: DockerfilePlace): (file: string) => string | undefined {
  const text = readFileSync(join(folder, name), 'utf8');
  return (file) => (file === name ? text : undefined);
}

/** The store: of --kaniko-dir, else where strake keeps it. */
export function rootOf(options: Pick<ExecutorOptions, 'kanikoFolder'>, io: Io): string {
  return options.kanikoFolder === undefined
    ? storeFolder({ ...io, root: undefined })
    : join(options.kanikoFolder, 'store');
}

/** Asks every repository that will be written whether it lets us, before anything is built. */
async function checkPush(
  options: ExecutorOptions,
  o: { readonly client: RegistryClient; readonly log: Log } & Wait,
): Promise<void> {
  if (!options.checkPush) return;
  const cache = options.cache.push ? cachePlace(options) : undefined;
  const names = options.push ? options.destinations : cache && 'repo' in cache ? [cache.repo] : [];
  const asked = new Set<string>();
  for (const name of names) {
    const reference = parseReference(name);
    const key = `${reference.registry}/${reference.repository}`;
    if (asked.has(key)) continue;
    asked.add(key);
    try {
      await o.client.checkPush(reference, { signal: o.signal });
    } catch (error) {
      o.log.warn('make sure you entered the correct tag name, that you are authenticated correctly, and try again.');
      throw error;
    }
  }
}

interface Building extends Doing {
  readonly root: string;
  readonly context: OpenedContext;
  readonly dockerfile: DockerfilePlace;
  readonly credentials: CredentialLookup;
  readonly client: RegistryClient;
}

async function buildImage(options: ExecutorOptions, b: Building): Promise<BuildResult | undefined> {
  const { io, log, signal } = b;
  const { settings } = options.registries;
  await using engine = await engineFor({
    root: b.root,
    project: b.context.folder,
    // As kaniko does: where steps cannot be isolated, they are not.
    ground: groundSetting(undefined, io.env) ?? 'auto',
    guarded: guardedBy(options, b),
    force: options.force,
    cleanUp: options.cleanup,
    insecure: settings.insecure ?? [],
    registries: settings,
  });
  const cache = await layerCache(options, { client: b.client, log, clock: io.clock, cwd: io.cwd, signal });
  const isWarm = await bringWarm(engine, options, b);
  const host = hostOf(options, { ...b, cache });
  const tell = storyTeller({ log, output: (chunk, stream) => process[stream].write(chunk) });
  const [target, ...others] = options.targets;
  const common = requestOf(options, { dockerfile: b.dockerfile, pull: !isWarm });
  let result: BuildResult | undefined;
  // The first target is the image; the others are built to be built.
  for (const one of [...others, target]) {
    const isImage = one === target;
    const request = {
      ...common,
      options: { ...common.options, ...(one !== undefined && { target: one }) },
      exports: isImage ? exportsOf(options, io.env) : [],
      cacheFrom: cache.from,
      cacheTo: isImage ? cache.to : [],
    };
    for await (const event of engine.build(request, host, { signal })) {
      tell(event);
      if (event.kind === 'vertex' && event.name === 'exporting to registry')
        for (const name of options.destinations) log.info(`Pushing image to ${nameOf(name, true)}`);
      if (event.kind === 'result' && isImage) ({ result } = event);
    }
  }
  return result;
}

/** Bases that `warmer` brought, put into the store. True when there is one: then registries are not asked again for what is there. */
async function bringWarm(engine: Engine, options: ExecutorOptions, b: Building): Promise<boolean> {
  const { cache, platform, buildArgs } = options;
  if (!cache.bases || !existsSync(cache.folder)) return false;
  const { signal } = b;
  const bases = await basesOf(b.dockerfile, { buildArgs, platform, signal });
  const warmed = await warmedOf(bases, { ...cache, clock: b.io.clock, client: b.client, platform, log: b.log, signal });
  for (const [name, image] of warmed)
    await engine.images.copy(image.folder, name, { host: { credentials: async () => undefined }, signal });
  return warmed.size > 0;
}

function requestOf(
  options: ExecutorOptions,
  o: { readonly dockerfile: DockerfilePlace; readonly pull: boolean },
): BuildRequest & ImageMetadata {
  const prefixed = (prefix: string, values: ReadonlyMap<string, string>): Record<string, string> =>
    Object.fromEntries([...values].map(([name, value]) => [prefix + name, value]));
  return {
    frontend: 'dockerfile',
    options: {
      filename: o.dockerfile.name,
      platform: formatPlatform(options.platform),
      ...prefixed('build-arg:', options.buildArgs),
      ...prefixed('label:', options.labels),
      // What kaniko has not in its cache it makes anew, whatever lies in the store.
      ...(!options.cache.use && { 'no-cache': '' }),
      ...(o.pull && { 'image-resolve-mode': 'pull' }),
    },
    platforms: [options.platform],
    exports: [],
    // Steps of kaniko are in the network of its container.
    allow: ['network.host'],
    annotations: [...options.annotations].map(([key, value]) => ({ level: 'manifest', key, value })),
    ...(options.reproducible && { epoch: 0, rewriteTimestamp: true }),
    ...(!options.cache.use && { noCache: true }),
    squash: options.singleSnapshot,
    leaveOut: options.leaveOut,
  };
}

function exportsOf(options: ExecutorOptions, env: Io['env']): readonly ExportRequest[] {
  const { destinations, compression, docker } = options;
  const type = docker ? ('docker' as const) : ('oci' as const);
  const exports: ExportRequest[] = [];
  if (options.layoutPath !== undefined) exports.push({ type, sink: 'layout', tar: false, names: [], compression });
  if (options.tarPath !== undefined)
    exports.push({ type: 'docker', sink: 'tar', tar: true, names: destinations.length > 0 ? destinations : [UNNAMED] });
  if (options.push)
    exports.push({
      type: 'registry',
      names: destinations,
      docker,
      compression,
      acceptImmutable: options.registries.acceptImmutable,
    });
  // The digest is that of the manifest as a registry would have it.
  else if (options.layoutPath === undefined && wantsDigest(options, env))
    exports.push({ type, sink: 'nowhere', tar: true, names: [], compression });
  return exports;
}

/** What steps that run in the container's own root must leave alone: strake's folders are guarded anyway. */
function guardedBy(options: ExecutorOptions, b: Building): readonly string[] {
  const files = [
    options.tarPath,
    options.layoutPath,
    options.digestFile,
    options.nameDigestFile,
    options.nameTagDigestFile,
  ];
  const config = b.io.env['DOCKER_CONFIG'];
  return [
    ...options.leaveOut.filter((path) => path !== '/var/run'),
    ...(b.context.isLocal ? [b.context.folder] : []),
    join(b.dockerfile.folder, b.dockerfile.name),
    options.cache.folder,
    ...(options.kanikoFolder === undefined ? [] : [options.kanikoFolder]),
    ...files.flatMap((path) => (path?.startsWith('/') ? [path] : [])),
    ...options.secrets.flatMap(({ source }) => ('file' in source ? [source.file] : [])),
    ...(config?.startsWith('/') ? [config] : []),
  ].filter((path) => path !== '/');
}

function hostOf(options: ExecutorOptions, b: Building & { readonly cache: LayerCache }): BuildHost {
  const owner = { uid: 0, gid: 0 };
  const { random, clock } = b.io;
  const cache = b.context.isLocal ? new StatCache(join(b.root, 'context'), { random, clock }) : undefined;
  const host = localHost({
    files: new Map([
      ['context', folderSource(b.context.folder, { owner, cache })],
      ['dockerfile', folderSource(b.dockerfile.folder, { owner })],
    ]),
    secrets: new Map(options.secrets.map(({ id, source }) => [id, source])),
    agents: new Map(),
    sinks: new Map([
      ...(options.tarPath === undefined ? [] : [['tar', { kind: 'file', path: options.tarPath }] as const]),
      ...(options.layoutPath === undefined ? [] : [['layout', { kind: 'folder', path: options.layoutPath }] as const]),
      ...(b.cache.folder === undefined ? [] : [[CACHE_SINK, { kind: 'folder', path: b.cache.folder }] as const]),
    ]),
    blobs: b.cache.blobs,
    credentials: b.credentials,
    env: b.io.env,
    random,
  });
  const nowhere = {
    write: async (): Promise<void> => undefined,
    close: async (): Promise<void> => undefined,
    [Symbol.asyncDispose]: async (): Promise<void> => undefined,
  };
  return {
    ...host,
    sink: (name) => (name === 'nowhere' ? { kind: 'stream', open: async () => nowhere } : host.sink(name)),
  };
}

/** Digest files, and the lines that pipelines look for. */
async function tellResult(
  result: BuildResult | undefined,
  options: ExecutorOptions,
  o: { readonly io: Io; readonly log: Log; readonly http: HttpClient } & Wait,
): Promise<void> {
  const { io, log } = o;
  const manifests = result?.images[0]?.manifests ?? [];
  const exports = exportsOf(options, io.env);
  // Not the archive's own: docker archives hold layers that are not compressed.
  const chosen =
    manifests.find(({ export: at }) => exports[at]?.type === 'registry') ??
    manifests.find(({ export: at }) => {
      const one = exports[at];
      return one !== undefined && 'sink' in one && one.sink !== 'tar';
    });
  const digest = chosen?.descriptor.digest;
  if (digest !== undefined) await writeDigestFiles(digest, { ...o, options });
  if (!options.push) {
    log.info('Skipping push to container registry due to --no-push flag');
    return;
  }
  const folder = io.env['BUILDER_OUTPUT'];
  for (const name of options.destinations) {
    log.info(`Pushed ${nameOf(name, false)}@${digest}`);
    if (folder) appendFileSync(join(folder, 'images'), `${JSON.stringify({ name: nameOf(name, true), digest })}\n`);
  }
}
