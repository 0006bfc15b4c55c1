import { existsSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { hasCode } from '../../../base/index.ts';
import type { Workshop } from '../../../engine/index.ts';
import {
  findModules,
  makePackage,
  parseLocator,
  type Locator,
  type ModuleKind,
} from '../../../frontend/buildpack/index.ts';
import { hostPlatform, imageId, parsePlatform } from '../../../image/index.ts';
import type { BuildpackFlags } from '../build/app-folder.ts';
import { hostCredentials } from '../local-host.ts';
import type { CliContext } from '../program.ts';
import { engineFor, lazyCredentials } from '../settings.ts';
import { mirroredSettings } from './mirrored.ts';
import { openSources, type Sources } from './sources.ts';

interface Flags extends BuildpackFlags {
  readonly platform?: readonly string[] | undefined;
}

const LISTS = ['buildpack', 'preBuildpack', 'postBuildpack', 'extension'] as const;

/**
 * The flags of a build with those buildpacks brought to where a build finds them that are archives, `.cnb` files, OCI layouts, addresses or entries of a registry of buildpacks: as images of the local store, or of the registry that has
 * them. All others stay as they are. The store is opened only where there is one.
 */
export async function bringModules<F extends Flags>(flags: F, c: CliContext): Promise<F> {
  const isFar = (text: string): boolean => farLocator(text, { ...c, registry: flags.buildpackRegistry }) !== undefined;
  if (!LISTS.some((list) => flags[list]?.some((texts) => texts.split(',').some(isFar)))) return flags;
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
      brought.push(await bring(text, { ...bringing, kind: list === 'extension' ? 'extension' : 'buildpack' }));
    changed[list] = brought;
  }
  return { ...flags, ...changed };
}

interface Bringing extends CliContext {
  readonly flags: Flags;
  readonly shop: Workshop;
  readonly sources: Sources;
  readonly keep: (resource: Disposable) => void;
}

async function bring(text: string, c: Bringing & { readonly kind: ModuleKind }): Promise<string> {
  const { io, shop, signal } = c;
  const locator = farLocator(text, { ...c, registry: c.flags.buildpackRegistry });
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
    folder: io.cwd,
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
  c: Pick<CliContext, 'io'> & { readonly registry?: string | undefined },
): Extract<Locator, { kind: 'path' | 'url' | 'registry' }> | undefined {
  if (/^(?:from=builder|urn:cnb:builder)/.test(text)) return undefined;
  const at = (path: string): string => resolve(c.io.cwd, path);
  let locator: Locator;
  try {
    locator = parseLocator(text, { exists: (path) => existsSync(at(path)) });
  } catch {
    return undefined;
  }
  if (locator.kind === 'url') return locator;
  if (locator.kind === 'registry') return text.startsWith('urn:') || c.registry !== undefined ? locator : undefined;
  if (locator.kind !== 'path') return undefined;
  const stat = statSync(at(locator.path), { throwIfNoEntry: false });
  if (!stat || (stat.isDirectory() && !existsSync(at(`${locator.path}/oci-layout`)))) return undefined;
  return locator;
}
