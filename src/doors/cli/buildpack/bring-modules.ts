import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { hasCode } from '../../../base/index.ts';
import type { Workshop } from '../../../engine/index.ts';
import {
  findModules,
  makePackage,
  parseLocator,
  parseProject,
  projectFor,
  type Locator,
  type ModuleKind,
} from '../../../frontend/buildpack/index.ts';
import { hostPlatform, imageId, parsePlatform } from '../../../image/index.ts';
import type { BuildpackFlags } from '../build/app-folder.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { mirroredSettings } from './mirrored.ts';
import { openSources, type Sources } from './sources.ts';

interface Flags extends BuildpackFlags {
  readonly platform?: readonly string[] | undefined;
}

const LISTS = ['buildpack', 'preBuildpack', 'postBuildpack', 'extension'] as const;

/** What a build of an application is told of the buildpacks that are not where it looks. */
export interface Brought<F> {
  readonly flags: F;
  /** `module:URI` for each that the project descriptor names. */
  readonly options: Readonly<Record<string, string>>;
}

/**
 * Brings those buildpacks to where a build finds them that are archives, `.cnb` files, OCI layouts, addresses or entries of a registry of buildpacks: as images of the local store, or of the registry that has them. All others stay as they
 * are, and the store is not opened where there are none.
 */
export async function bringModules<F extends Flags>(
  flags: F,
  c: CliContext & {
    /** Of the application, where it is on this machine. */
    readonly folder?: string | undefined;
  },
): Promise<Brought<F>> {
  const { cwd } = c.io;
  const far = { folder: cwd, registry: flags.buildpackRegistry };
  const file = c.folder === undefined ? undefined : join(c.folder, flags.descriptor ?? 'project.toml');
  const named =
    file === undefined ? [] : urisOf(file, flags).filter((uri) => farLocator(uri, { folder: dirname(file) }));
  const isFar = (text: string): boolean => farLocator(text, far) !== undefined;
  if (named.length === 0 && !LISTS.some((list) => flags[list]?.some((texts) => texts.split(',').some(isFar))))
    return { flags, options: {} };
  await using engine = await engineFor(mirroredSettings(c));
  await using shop = await engine.workshop({ host: { credentials: hostCredentials(lazyCredentials(c.io)) } });
  using opened = new DisposableStack();
  const sources = openSources(c, { shop, policy: 'if-not-present', registry: flags.buildpackRegistry });
  const bringing: Bringing = { ...c, flags, shop, sources, keep: (resource) => void opened.use(resource) };
  const changed: Partial<Record<(typeof LISTS)[number], readonly string[]>> = {};
  for (const list of LISTS) {
    const texts = flags[list]?.flatMap((text) => text.split(','));
    if (!texts) continue;
    const brought: string[] = [];
    for (const text of texts)
      brought.push(await bring(text, { ...bringing, ...far, kind: list === 'extension' ? 'extension' : 'buildpack' }));
    changed[list] = brought;
  }
  const options: Record<string, string> = {};
  for (const uri of named) {
    const place = await bring(uri, { ...bringing, folder: dirname(file ?? cwd), kind: 'buildpack' });
    if (place.startsWith('docker://')) options[`module:${uri}`] = place.slice('docker://'.length);
  }
  return { flags: { ...flags, ...changed }, options };
}

/** What a project descriptor names by its place. One that cannot be read is left to the build, which says what is wrong with it. */
function urisOf(file: string, flags: Flags): readonly string[] {
  try {
    const { project } = parseProject(readFileSync(file, 'utf8'), file);
    const { group, pre, post } = projectFor(project, flags.execEnv ?? 'production');
    return [...new Set([...group, ...pre, ...post].flatMap(({ uri }) => uri ?? []))];
  } catch {
    return [];
  }
}

interface Bringing extends CliContext {
  readonly flags: Flags;
  readonly shop: Workshop;
  readonly sources: Sources;
  readonly keep: (resource: Disposable) => void;
}

async function bring(
  text: string,
  c: Bringing & { readonly kind: ModuleKind; readonly folder: string; readonly registry?: string | undefined },
): Promise<string> {
  const { io, shop, signal } = c;
  const locator = farLocator(text, c);
  if (locator === undefined) return text;
  if (locator.kind === 'registry') {
    try {
      return `docker://${(await c.sources.registered(locator)).address}`;
    } catch (error) {
      // A bare name may be of the builder.
      if (!text.startsWith('urn:') && hasCode(error, 'CNB_REGISTRY_MISSING')) return text;
      throw error;
    }
  }
  const host = hostPlatform(process);
  const [named] = c.flags.platform ?? [];
  const platform = named === undefined ? host : parsePlatform(named.split(',')[0] ?? '', host);
  const { main, others } = await findModules(text, {
    shop,
    random: io.random,
    kind: c.kind,
    target: { os: platform.os, arch: platform.architecture, variant: platform.variant ?? '', distros: [] },
    host,
    folder: c.folder,
    sources: c.sources,
    signal,
    keep: c.keep,
  });
  const image = await makePackage(main, others, { shop, platform, unchecked: true, signal });
  const name = `cache.local/buildpack-${(await imageId(image, { signal })).slice('sha256:'.length, 'sha256:'.length + 12)}`;
  await shop.write(`store:${name}`, image, { signal, whole: true });
  return `docker://${name}`;
}

/** What a locator names that a build does not find by itself; undefined for all others. */
function farLocator(
  text: string,
  o: { readonly folder: string; readonly registry?: string | undefined },
): Extract<Locator, { kind: 'path' | 'url' | 'registry' }> | undefined {
  if (/^(?:from=builder|urn:cnb:builder)/.test(text)) return undefined;
  const at = (path: string): string => resolve(o.folder, path);
  let locator: Locator;
  try {
    locator = parseLocator(text, { exists: (path) => existsSync(at(path)) });
  } catch {
    return undefined;
  }
  if (locator.kind === 'url') return locator;
  if (locator.kind === 'registry') return text.startsWith('urn:') || o.registry !== undefined ? locator : undefined;
  if (locator.kind !== 'path') return undefined;
  const stat = statSync(at(locator.path), { throwIfNoEntry: false });
  if (!stat || (stat.isDirectory() && !existsSync(at(`${locator.path}/oci-layout`)))) return undefined;
  return locator;
}
