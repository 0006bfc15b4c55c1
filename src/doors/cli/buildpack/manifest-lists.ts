import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno } from '../../../base/index.ts';
import type { Descriptor, Platform } from '../../../blob/index.ts';
import type { Workshop } from '../../../engine/index.ts';
import {
  canonicalReference,
  descriptorOf,
  imageId,
  indexManifestOf,
  isAttestation,
  makeIndex,
  parseReference,
  platformOf,
  configOf,
  repositoryName,
  type Image,
  type Index,
} from '../../../image/index.ts';
import { cliError, usage } from '../errors.ts';
import { hostCredentials } from '../local-host.ts';
import { keyValues } from '../parse/values.ts';
import { jsonText } from '../print/table.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials, type Settings } from '../settings.ts';
import { withProgress } from '../transfer.ts';
import { openSources } from './sources.ts';
import { mirroredSettings } from './mirrored.ts';

/** An image of a list that is kept: where it is, and what its entry says. */
interface Entry {
  /** As it was named. */
  readonly name: string;
  /** `store:ID` or `docker://REPOSITORY@DIGEST`. */
  readonly place: string;
  readonly descriptor: Descriptor;
}

interface List {
  readonly name: string;
  readonly mediaTypes: 'oci' | 'docker';
  readonly entries: readonly Entry[];
}

export async function createList(
  name: string,
  images: readonly string[],
  c: CliContext & { readonly format: 'oci' | 'docker'; readonly insecure?: boolean; readonly publish?: boolean },
): Promise<void> {
  if (c.insecure && !c.publish) throw usage('--insecure is for what is published', 'Add --publish.');
  if (!c.publish && readList(name, c.settings))
    throw cliError('CONFIG_INVALID', `create manifest list "${name}": there is one already`, {
      remedy: `Forget it with "strake manifest remove ${name}".`,
    });
  await atWork(name, c, async (shop) => {
    const entries: Entry[] = [];
    for (const image of images) entries.push(...(await entriesOf(image, { ...c, shop })));
    const list: List = { name, mediaTypes: c.format, entries };
    if (c.publish) {
      const { digest } = await shop.write(`docker://${name}`, await indexOf(list, { ...c, shop }), c);
      c.io.stdout.write(`${name.split('@')[0]}@${digest}\n`);
    } else writeList(list, c.settings);
  });
}

export async function addToList(name: string, image: string, c: CliContext): Promise<void> {
  const list = keptList(name, c.settings);
  await atWork(name, c, async (shop) => {
    const added = await entriesOf(image, { ...c, shop });
    const digests = new Set(added.map(({ descriptor }) => descriptor.digest));
    const kept = list.entries.filter(({ descriptor }) => !digests.has(descriptor.digest));
    writeList({ ...list, entries: [...kept, ...added] }, c.settings);
  });
}

export function annotateList(
  name: string,
  image: string,
  c: CliContext & {
    readonly os?: string;
    readonly arch?: string;
    readonly variant?: string;
    readonly annotations: readonly string[];
  },
): void {
  const { os, arch, variant } = c;
  const annotations = Object.fromEntries(
    keyValues(
      c.annotations.flatMap((one) => one.split(',')),
      { what: 'annotation' },
    ),
  );
  if (os === undefined && arch === undefined && variant === undefined && c.annotations.length === 0)
    throw usage('nothing is to be changed', 'Name --os, --arch, --variant or --annotations.');
  const list = keptList(name, c.settings);
  const chosen = new Set(named(list, image));
  const entries = list.entries.map((entry) => {
    if (!chosen.has(entry)) return entry;
    const before = entry.descriptor.platform;
    const platform: Platform = {
      ...before,
      os: os ?? before?.os ?? '',
      architecture: arch ?? before?.architecture ?? '',
      ...(variant === undefined ? {} : { variant }),
    };
    const all = { ...entry.descriptor.annotations, ...annotations };
    return {
      ...entry,
      descriptor: { ...entry.descriptor, platform, ...(Object.keys(all).length > 0 ? { annotations: all } : {}) },
    };
  });
  writeList({ ...list, entries }, c.settings);
}

export function removeFromList(name: string, images: readonly string[], c: CliContext): void {
  const list = keptList(name, c.settings);
  const gone = new Set(images.flatMap((image) => named(list, image)));
  writeList({ ...list, entries: list.entries.filter((entry) => !gone.has(entry)) }, c.settings);
}

export function removeLists(names: readonly string[], c: CliContext): void {
  for (const name of names) keptList(name, c.settings);
  for (const name of names) rmSync(pathOf(name, c.settings));
}

export async function inspectList(name: string, c: CliContext): Promise<void> {
  const list = readList(name, c.settings);
  await atWork(name, c, async (shop) => {
    const value = list ? await indexOf(list, { ...c, shop }) : await shop.open(`docker://${name}`, c);
    c.io.stdout.write(jsonText(JSON.parse(Buffer.from(await value.manifest(c)).toString())));
  });
}

export async function pushList(
  name: string,
  c: CliContext & {
    readonly format: 'oci' | 'docker';
    readonly insecure?: boolean;
    readonly purge?: boolean;
    readonly quiet?: boolean;
  },
): Promise<void> {
  const list = keptList(name, c.settings);
  const digest = await withProgress(c, { title: 'Pushing', name: `push ${name}`, quiet: c.quiet }, ({ onProgress }) =>
    atWork(
      name,
      c,
      async (shop) => {
        const value = await indexOf(
          { ...list, mediaTypes: c.format === 'docker' ? 'docker' : list.mediaTypes },
          { ...c, shop },
        );
        return (await shop.write(`docker://${name}`, value, c)).digest;
      },
      onProgress,
    ),
  );
  if (c.purge) rmSync(pathOf(name, c.settings));
  c.io.stdout.write(`${name.split('@')[0]}@${digest}\n`);
}

type OnProgress = NonNullable<Parameters<Awaited<ReturnType<typeof engineFor>>['workshop']>[0]['onProgress']>;

async function atWork<T>(
  name: string,
  c: CliContext & { readonly insecure?: boolean },
  work: (shop: Workshop) => Promise<T>,
  onProgress?: OnProgress,
): Promise<T> {
  const insecure = c.insecure ? [...c.settings.insecure, parseReference(name).registry] : c.settings.insecure;
  await using engine = await engineFor({ ...mirroredSettings(c), insecure });
  await using shop = await engine.workshop({
    host: { credentials: hostCredentials(lazyCredentials(c.io)) },
    onProgress,
  });
  return await work(shop);
}

/** The images that a name gives to a list. */
async function entriesOf(name: string, c: CliContext & { readonly shop: Workshop }): Promise<readonly Entry[]> {
  const { shop } = c;
  const isHere = shop.has(name);
  const value = await openSources(c, { shop, policy: 'if-not-present' }).image(name);
  const entry = async (descriptor: Descriptor, one: Image | Index): Promise<Entry> => ({
    name,
    // In the store an image is known by its ID: the manifest of one that was built here is made anew, to the same bytes.
    place:
      isHere && one.kind === 'image'
        ? `store:${await imageId(one, c)}`
        : `docker://${repositoryName(parseReference(name))}@${descriptor.digest}`,
    descriptor,
  });
  if (value.kind === 'image')
    return [await entry({ ...(await descriptorOf(value, c)), platform: platformOf(await configOf(value, c)) }, value)];
  const entries: Entry[] = [];
  for (const one of (await indexManifestOf(value, c)).manifests)
    if (!isAttestation(one)) entries.push(await entry(one, await value.member(one, c)));
  return entries;
}

/** A list as an index whose images are opened when they are needed. */
async function indexOf(list: List, c: CliContext & { readonly shop: Workshop }): Promise<Index> {
  const members: {
    image: Image | Index;
    platform?: Platform | undefined;
    annotations?: Readonly<Record<string, string>> | undefined;
  }[] = [];
  for (const { place, descriptor } of list.entries)
    members.push({
      image: await c.shop.open(place, c),
      platform: descriptor.platform,
      annotations: descriptor.annotations,
    });
  return makeIndex(members, { mediaTypes: list.mediaTypes });
}

/** The entries that a name, or the digest at its end, means. Throws where there is none. */
function named(list: List, text: string): readonly Entry[] {
  const digest = /(?:^|@)(sha\d+:[0-9a-f]+)$/.exec(text)?.[1];
  const found = list.entries.filter((entry) =>
    digest === undefined ? entry.name === text : entry.descriptor.digest === digest,
  );
  if (found.length > 0) return found;
  throw cliError('CONFIG_INVALID', `find "${text}" in manifest list "${list.name}": it is not in it`, {
    remedy: `There is ${list.entries.map((entry) => `${entry.name} (${entry.descriptor.digest})`).join(', ')}.`,
  });
}

function keptList(name: string, settings: Settings): List {
  const list = readList(name, settings);
  if (list) return list;
  throw cliError('CONFIG_INVALID', `open manifest list "${name}": there is none of this name here`, {
    remedy: `Make it with "strake manifest create ${name} IMAGE...".`,
  });
}

function readList(name: string, settings: Settings): List | undefined {
  try {
    return JSON.parse(readFileSync(pathOf(name, settings), 'utf8')) as List;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function writeList(list: List, settings: Settings): void {
  const path = pathOf(list.name, settings);
  mkdirSync(join(settings.root, 'manifests'), { recursive: true });
  writeFileSync(`${path}.${process.pid}`, jsonText(list));
  renameSync(`${path}.${process.pid}`, path);
}

function pathOf(name: string, settings: Settings): string {
  return join(settings.root, 'manifests', `${encodeURIComponent(canonicalReference(parseReference(name)))}.json`);
}
