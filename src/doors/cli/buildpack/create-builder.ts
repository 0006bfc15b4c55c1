import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Engine, Workshop } from '../../../engine/index.ts';
import {
  builderUser,
  findModules,
  fromFolder,
  lifecycleOfImage,
  lifecycleOfTree,
  makeBuilder,
  ownLifecycle,
  parseBuilderConfig,
  parseLocator,
  platformFor,
  splitVersion,
  withBuildUser,
  type BuilderConfig,
  type Lifecycle,
  type Module,
  type Target,
} from '../../../frontend/buildpack/index.ts';
import type { Platform } from '../../../blob/index.ts';
import {
  chooseImage,
  configOf,
  formatPlatform,
  hostPlatform,
  platformOf,
  platformRuns,
  type Image,
} from '../../../image/index.ts';
import { walkFolder, type FileTree } from '../../../tree/index.ts';
import { embeddedFolder } from '../build/embedded-folder.ts';
import { cliError, usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { withProgress } from '../transfer.ts';
import { ownVersion } from '../version.ts';
import { downloadLifecycle, lifecycleAtArchive, lifecycleAtUrl } from './download-lifecycle.ts';
import { labelsOfFlags, targetsOfFlags } from './flag-values.ts';
import type { MakeFlags } from './flags.ts';
import { openSources, pullPolicyOf, type Sources } from './sources.ts';
import { writeImages, type MadeImage } from './write-image.ts';
import { mirroredSettings } from './mirrored.ts';

export interface CreateFlags extends MakeFlags {
  readonly flatten: readonly string[];
  /** False: strake's own lifecycle without its programs. */
  readonly phases: boolean;
}

interface Making extends CliContext {
  readonly engine: Engine;
  readonly onLog: (line: string) => void;
  readonly shop: Workshop;
  readonly sources: Sources;
  readonly config: BuilderConfig;
  /** Of builder.toml. */
  readonly folder: string;
  readonly warn: (text: string) => void;
  readonly keep: (resource: Disposable) => void;
  /** strake's own programs are wanted where no lifecycle is named. */
  readonly phases: boolean;
}

/** `strake builder create`. */
export async function createBuilder(name: string, flags: CreateFlags, c: CliContext): Promise<void> {
  const { io, signal } = c;
  if (flags.config === undefined) throw usage('no builder.toml was named', 'Name it with --config FILE.');
  const file = resolve(io.cwd, flags.config);
  if (!existsSync(file)) throw usage(`read builder config "${flags.config}": there is no such file`);
  const warn = (text: string): void => io.stderr.write(`${io.errStyle.yellow('warning')}: ${text}\n`);
  const config = parseBuilderConfig(readFileSync(file, 'utf8'), { file: flags.config, warn });
  const asked = targetsOfFlags(flags.target);
  const host = hostPlatform(process);
  const own: Target = { os: host.os, arch: host.architecture, variant: '', distros: [] };
  const targets = asked.length > 0 ? asked : config.targets.length > 0 ? config.targets : [own];
  const policy = pullPolicyOf(flags.pullPolicy, c);
  // What bases are made of may stand beside builder.toml.
  const project = existsSync(join(dirname(file), 'strake.toml')) ? dirname(file) : c.settings.project;
  await using engine = await engineFor({ ...mirroredSettings(c), project });
  await withProgress(
    c,
    { title: 'Creating', name: `create builder ${name}`, ...flags },
    async ({ onProgress, onLog }) => {
      await using shop = await engine.workshop({
        host: { credentials: hostCredentials(lazyCredentials(io)) },
        onProgress,
      });
      using opened = new DisposableStack();
      const sources = openSources(c, { shop, policy, registry: flags.buildpackRegistry, remote: flags.publish });
      const making: Making = {
        ...c,
        engine,
        onLog,
        shop,
        sources,
        config,
        folder: dirname(file),
        warn,
        keep: (resource) => void opened.use(resource),
        phases: flags.phases,
      };
      const made: MadeImage[] = [];
      for (const target of targets) made.push({ target, image: await builderFor(target, flags, making) });
      await writeImages(name, made, { shop, flags, io, signal });
    },
  );
}

/** The build image for a platform. A base of Debian packages is made where it is named, and gets the user that builds. */
async function buildImage(platform: Platform, c: Making): Promise<Image> {
  const { config, engine, io, signal, shop } = c;
  const name = config.buildImage;
  if (!name.startsWith('packages.local/'))
    return (await chooseImage(await c.sources.image(name), platform, { what: name, signal })).image;
  if (!platformRuns(hostPlatform(process), platform))
    throw cliError(
      'CONFIG_INVALID',
      `make build image "${name}" for ${formatPlatform(platform)}: bases of packages are made for this machine's platform here`,
      {
        remedy: `Name that target alone: --target ${formatPlatform(hostPlatform(process))}`,
      },
    );
  const host = { credentials: hostCredentials(lazyCredentials(io)) };
  const { id } = await engine.bases.create(name, { host, onLog: c.onLog, signal });
  const made = await shop.open(`store:${id}`, { signal });
  return withBuildUser((await chooseImage(made, platform, { what: name, signal })).image, { shop, signal });
}

async function builderFor(target: Target, flags: CreateFlags, c: Making): Promise<Image> {
  const { config, signal } = c;
  const host = hostPlatform(process);
  const platform = platformFor(target, host);
  const base = await buildImage(platform, c);
  const { architecture, os, variant } = await configOf(base, { signal });
  builderUser(await configOf(base, { signal }), config.buildImage);
  const actual: Target = { ...target, os, arch: architecture, variant: variant ?? target.variant };
  if (!platformRuns(platform, platformOf(await configOf(base, { signal }))))
    throw cliError(
      'CONFIG_INVALID',
      `use build image "${config.buildImage}" for ${formatPlatform(platform)}: it is for ${[os, architecture, variant].filter(Boolean).join('/')}`,
      { remedy: 'Name an image for several platforms, or one target with --target.' },
    );
  await checkRunImages(platform, c);
  const modules: Module[] = [];
  for (const wanted of config.modules) {
    const found = await findModules(wanted.uri, {
      ...c,
      random: c.io.random,
      kind: wanted.kind,
      target: actual,
      host,
    });
    const { id, version } = found.main.descriptor;
    for (const [what, is, must] of [
      ['id', id, wanted.id],
      ['version', version, wanted.version],
    ] as const)
      if (must !== undefined && must !== '' && must !== is)
        throw cliError(
          'CONFIG_INVALID',
          `read "${flags.config}": ${wanted.kind} "${wanted.uri}" has the ${what} "${is}", not "${must}"`,
        );
    modules.push(found.main, ...found.others);
  }
  return makeBuilder(
    {
      base,
      baseName: config.buildImage,
      description: config.description,
      modules,
      order: config.order,
      orderExtensions: config.orderExtensions,
      system: config.system,
      runImages: config.runImages,
      stackId: config.stackId,
      lifecycle: await lifecycleFor(platform, c),
      buildEnv: config.buildEnv,
      flatten: flags.flatten.map((group) => group.split(',').map((one) => flattenName(one.trim(), modules))),
      labels: labelsOfFlags(flags.label),
      createdBy: { name: 'strake', version: ownVersion().version },
    },
    { shop: c.shop, warn: c.warn, signal },
  );
}

/** `id@version`; without a version that of the only one there is. */
function flattenName(text: string, modules: readonly Module[]): string {
  const { id, version } = splitVersion(text);
  if (version !== '') return text;
  const versions = new Set(
    modules.filter(({ descriptor }) => descriptor.id === id).map(({ descriptor }) => descriptor.version),
  );
  if (versions.size !== 1)
    throw usage(`read --flatten "${text}": it names ${versions.size} buildpacks`, 'Write ID@VERSION.');
  return `${id}@${[...versions][0] ?? ''}`;
}

/** Run images are not part of a builder; what cannot be reached now is only told. Their stack must be the builder's. */
async function checkRunImages(platform: Platform, c: Making): Promise<void> {
  const { stackId, runImages } = c.config;
  if (stackId === undefined) return;
  for (const { image, mirrors } of runImages)
    for (const name of [image, ...mirrors]) {
      let found: string | undefined;
      try {
        const chosen = await chooseImage(await c.sources.image(name), platform, { what: name, signal: c.signal });
        found = (await configOf(chosen.image, { signal: c.signal })).config?.Labels?.['io.buildpacks.stack.id'];
      } catch (error) {
        if (c.signal.aborted) throw error;
        c.warn(`run image "${name}" is not accessible`);
        continue;
      }
      if (found !== stackId)
        throw cliError(
          'CONFIG_INVALID',
          `use run image "${name}": its stack "${found ?? ''}" is incompatible with stack "${stackId}" of the builder`,
        );
    }
}

/** What `[lifecycle]` names; strake's own where it names nothing. */
async function lifecycleFor(platform: Platform, c: Making): Promise<Lifecycle> {
  const { uri, version } = c.config.lifecycle;
  const { signal, shop } = c;
  if (version !== undefined && version !== '')
    return downloadLifecycle(version, { ...downloading(c), env: c.io.env, platform, warn: c.warn });
  if (uri === undefined || uri === '')
    return ownLifecycle({
      version: ownVersion().version,
      launcher: ownLauncher(platform, c),
      phases: c.phases ? await phasesFor(platform, c) : undefined,
      signal,
    });
  const locator = parseLocator(uri, { exists: (path) => existsSync(fromFolder(path, c.folder)) });
  if (locator.kind === 'path') return lifecycleAt(fromFolder(locator.path, c.folder), c);
  if (locator.kind === 'url') return lifecycleAtUrl(locator.url, downloading(c));
  const reference = locator.kind === 'image' ? locator.reference : uri;
  const { image } = await chooseImage(await c.sources.image(reference), platform, {
    what: reference,
    signal,
  });
  return lifecycleOfImage(image, { what: reference, shop, signal });
}

/** strake's own launcher for a platform. */
function ownLauncher({ os, architecture }: Platform, c: Making): Uint8Array | undefined {
  const name = `launcher-${architecture === 'amd64' ? 'x64' : architecture}`;
  const path = join(embeddedFolder('launchers'), name);
  if (os === 'linux' && existsSync(path)) return readFileSync(path);
  c.warn(`strake has no launcher for ${os}/${architecture}: name a lifecycle in builder.toml`);
  return undefined;
}

/** strake's own programs. They are those that run here, so a builder for another platform goes without. */
async function phasesFor(platform: Platform, c: Making): Promise<FileTree | undefined> {
  const host = hostPlatform(process);
  let phases: FileTree | string = `this is ${formatPlatform(host)}`;
  if (platform.os === host.os && platform.architecture === host.architecture) {
    const { ownPhases } = await import('./own-phases.ts');
    phases = await ownPhases(join(c.shop.scratch, 'phases'));
  }
  if (typeof phases !== 'string') return phases;
  c.warn(
    `the builder for ${formatPlatform(platform)} is for strake alone, without the programs of a lifecycle: ${phases}`,
  );
  return undefined;
}

async function lifecycleAt(path: string, c: Making): Promise<Lifecycle> {
  const { signal } = c;
  if (!statSync(path).isDirectory()) return lifecycleAtArchive(path, { what: path, scratch: c.shop.scratch, signal });
  return lifecycleOfTree(await walkFolder(path), { what: path, signal });
}

function downloading({
  sources,
  shop,
  signal,
}: Making): Pick<Parameters<typeof lifecycleAtUrl>[1], 'download' | 'scratch' | 'signal'> {
  return { download: (url) => sources.download(url), scratch: shop.scratch, signal };
}
