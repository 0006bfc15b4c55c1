import { createReadStream, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, hasErrno, type Random, type Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import {
  chooseImage,
  configOf,
  openArchive,
  openLayout,
  selectImage,
  type Image,
  type Index,
} from '../../../image/index.ts';
import { archiveTree, walkFolder, zipTree } from '../../../tree/index.ts';
import { buildpackError } from '../errors.ts';
import { LABELS } from '../model/index.ts';
import type { ModuleDescriptor, ModuleKind, Target } from '../model/types.ts';
import { layersLabel, moduleName, parseModuleLayers, parsePackageMetadata, type Labels } from './labels.ts';
import { moduleOfTree, sortedModules, type Module, type ModulePackage } from './module.ts';
import { platformFor } from './targets.ts';
import type { Workshop } from './workshop.ts';

export interface ReadOptions extends Wait {
  readonly shop: Workshop;
  readonly random: Random;
  /** Of messages. */
  readonly what: string;
  /** Which one is wanted; either by default. */
  readonly kind?: ModuleKind | undefined;
  /** What it is to run on: chooses the member of an index, and the folder of a module's files. */
  readonly target?: Target | undefined;
  readonly host: Platform;
  /** Takes what must stay open as long as the modules are used. */
  readonly keep: (resource: Disposable) => void;
}

/**
 * The modules at a path of this machine: a folder with a buildpack.toml or extension.toml, an OCI layout, an archive (tar, compressed or not; zip) of a folder, a `.cnb` file, an archive that Docker saved.
 * Throws `CNB_MODULE_INVALID`, `CNB_LABEL_INVALID`, and what the archive itself gives.
 */
export async function packageAtPath(path: string, o: ReadOptions): Promise<ModulePackage> {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat) throw buildpackError('CNB_MODULE_MISSING', `open "${path}": there is no such file or folder`);
  if (stat.isDirectory()) {
    const names = readdirSync(path);
    if (names.includes('oci-layout') && names.includes('index.json'))
      return packageOfImage(await selectImage(openLayout(path), { what: path }).open(), o);
    return alone(await moduleOfTree(await walkFolder(path), { ...o, what: path }));
  }
  const head = await headOf(path);
  if (head.subarray(0, 4).toString('latin1') === 'PK\u0003\u0004')
    return alone(await moduleOfTree(await zipTree(path, o), { ...o, what: path }));
  const image = await imageInArchive(path, o);
  if (image) return packageOfImage(image, o);
  const tree = await archiveTree(path, { scratch: o.shop.scratch, signal: o.signal });
  if (!tree)
    throw buildpackError('CNB_MODULE_INVALID', `open "${path}": it is neither a tar archive nor a .cnb file`, {
      remedy: 'Name a folder with a buildpack.toml, a .tgz of one, or a .cnb file.',
    });
  return alone(await moduleOfTree(tree, { ...o, what: path }));
}

/** The image of an archive that holds one; undefined where it holds none. */
async function imageInArchive(path: string, o: ReadOptions): Promise<Image | Index | undefined> {
  try {
    const archive = await openArchive(path, { temp: o.shop.scratch, random: o.random, signal: o.signal });
    o.keep(archive);
    return await selectImage(archive, { what: path }).open();
  } catch (error) {
    if (hasCode(error, 'ARCHIVE_INVALID', 'COMPRESSED_CORRUPT')) return undefined;
    throw error;
  }
}

async function headOf(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of createReadStream(path, { end: 511 })) chunks.push(chunk as Buffer);
  } catch (error) {
    if (!hasErrno(error, 'EACCES', 'EPERM')) throw error;
    throw buildpackError('CNB_MODULE_INVALID', `open "${path}": permission denied`, { cause: error });
  }
  return Buffer.concat(chunks);
}

function alone(main: Module): ModulePackage {
  return { main, others: [] };
}

/** The modules of a buildpackage or extension package: its labels say which there are, and in which layers. Nothing but manifest and config is read. */
export async function packageOfImage(
  x: Image | Index,
  o: Omit<ReadOptions, 'shop' | 'random' | 'keep'>,
): Promise<ModulePackage> {
  const target = o.target ?? { os: o.host.os, arch: '', variant: '', distros: [] };
  const { image } = await chooseImage(x, platformFor(target, o.host), { what: o.what, signal: o.signal });
  const labels = (await configOf(image, o)).config?.Labels ?? {};
  const kind =
    o.kind ??
    (labels[layersLabel('extension')] !== undefined && labels[layersLabel('buildpack')] === undefined
      ? 'extension'
      : 'buildpack');
  const said = labels[LABELS.buildpackageMetadata];
  if (said === undefined)
    throw buildpackError(
      'CNB_MODULE_INVALID',
      `read "${o.what}": it is no ${kind} package (it has no label ${LABELS.buildpackageMetadata})`,
    );
  if (labels[layersLabel(kind)] === undefined)
    throw buildpackError(
      'CNB_MODULE_INVALID',
      `read "${o.what}": it is no ${kind} package (it has no label ${layersLabel(kind)})`,
    );
  const head = parsePackageMetadata(said, kind);
  const modules = await modulesOfImage(image, { labels, kind, what: o.what, signal: o.signal });
  const main = modules.find(({ descriptor }) => descriptor.id === head.id && descriptor.version === head.version);
  if (!main)
    throw buildpackError(
      'CNB_MODULE_INVALID',
      `read "${o.what}": it does not hold its own ${kind} "${moduleName(head)}"`,
    );
  const descriptor = completed(main.descriptor, head);
  return { main: { ...main, descriptor }, others: modules.filter((one) => one !== main) };
}

/** All modules of a kind in an image, by its labels: a package's or a builder's. */
export async function modulesOfImage(
  image: Image,
  o: { labels: Labels; kind: ModuleKind; what: string } & Wait,
): Promise<readonly Module[]> {
  const wanted = parseModuleLayers(o.labels[layersLabel(o.kind)], o.kind);
  const layers = await image.layers(o);
  const ids = await Promise.all(layers.map((layer) => layer.diffId(o)));
  return sortedModules(
    wanted.map(({ descriptor, diffId }) => {
      const layer = layers[ids.findIndex((id) => id === diffId)];
      if (!layer)
        throw buildpackError(
          'CNB_LABEL_INVALID',
          `read "${o.what}": the layer ${diffId} of ${o.kind} "${moduleName(descriptor)}" is not in the image`,
        );
      return { descriptor, layer };
    }),
  );
}

/** What the label of layers leaves out of a module, the package's own label says. Its stacks are those of all modules together. */
function completed(module: ModuleDescriptor, head: ModuleDescriptor): ModuleDescriptor {
  const { description, keywords, licenses, clearEnv, execEnv } = head;
  return {
    ...module,
    name: module.name ?? head.name,
    homepage: module.homepage ?? head.homepage,
    description,
    keywords,
    licenses,
    clearEnv,
    execEnv,
  };
}

/** A path relative to a folder, as configuration files have them. */
export function fromFolder(path: string, folder: string): string {
  return path.startsWith('/') ? path : join(folder, path);
}
