import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { makeImage, type Image, type ImageConfig } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';
import { LABELS } from '../model/index.ts';
import { encodeModuleLayers, encodePackageMetadata, layersLabel, moduleName, type LabelledModule } from './labels.ts';
import { flattened, layersOf } from './flatten.ts';
import { sortedModules, type Module } from './module.ts';
import { checkTogether } from './stacks.ts';
import type { Workshop } from './workshop.ts';

/** When everything that has no time of its own was made: 1980-01-01T00:00:01Z. */
export const CREATED = '1980-01-01T00:00:01Z';

export interface PackageOptions extends Wait {
  readonly shop: Workshop;
  /** Of the image. Where the target names no architecture it is empty. */
  readonly platform: Platform;
  /** More labels. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Members of an order may be missing, and others be there: for a builder that has them. */
  readonly unchecked?: boolean | undefined;
  /** All modules but `except` (`id@version`) in one layer. */
  readonly flatten?: { readonly except: readonly string[] } | undefined;
}

/**
 * A buildpackage or extension package (distribution.md, Buildpackage): one layer for each module, sorted by id and version, so that equal modules give equal bytes; what they are in its labels. Layers that came from elsewhere are taken as they are.
 * Throws `CNB_PACKAGE_INVALID` where modules do not go together.
 */
export async function makePackage(main: Module, others: readonly Module[], o: PackageOptions): Promise<Image> {
  const { kind } = main.descriptor;
  if (kind === 'extension' && others.length > 0)
    throw buildpackError(
      'CNB_PACKAGE_INVALID',
      `package extension "${moduleName(main.descriptor)}": an extension has no dependencies`,
    );
  const own = moduleName(main.descriptor);
  const members = distinct(others).filter(({ descriptor }) => moduleName(descriptor) !== own);
  const stacks =
    kind === 'extension' || o.unchecked
      ? undefined
      : checkTogether(
          main.descriptor,
          members.map(({ descriptor }) => descriptor),
        );
  const single = sortedModules([main, ...members]);
  const except = new Set(o.flatten?.except ?? []);
  const modules = o.flatten
    ? await flattened(
        single,
        [single.map(({ descriptor }) => moduleName(descriptor)).filter((name) => !except.has(name))],
        o,
      )
    : single;
  const labelled: LabelledModule[] = [];
  for (const { descriptor, layer } of modules) labelled.push({ descriptor, diffId: await layer.diffId(o) });
  const layers = await layersOf(modules, o);
  const config: ImageConfig = {
    created: CREATED,
    architecture: o.platform.architecture,
    os: o.platform.os,
    ...(o.platform.variant === undefined ? {} : { variant: o.platform.variant }),
    config: {
      Labels: {
        ...o.labels,
        [layersLabel(kind)]: encodeModuleLayers(labelled),
        [LABELS.buildpackageMetadata]: encodePackageMetadata(main.descriptor, stacks),
      },
    },
    rootfs: { type: 'layers', diff_ids: [] },
    history: layers.map(() => ({ created: CREATED })),
  };
  return makeImage({ config, layers, mediaTypes: 'oci' });
}

/** Each id and version once, the last one given. */
function distinct(modules: readonly Module[]): readonly Module[] {
  return [...new Map(modules.map((module) => [moduleName(module.descriptor), module])).values()];
}
