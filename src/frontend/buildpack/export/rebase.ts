import { configOf, familyOf, makeImage, manifestOf, type Image, type ImageConfig } from '../../../image/index.ts';
import type { Wait } from '../../../base/index.ts';
import { buildpackError } from '../errors.ts';
import { apiAtLeast, BASE_LABEL_PREFIXES, LABELS, parseApi, parseLifecycleMetadata } from '../model/index.ts';
import type { LifecycleMetadata } from '../model/types.ts';
import { fittingHistory, NEVER } from './history.ts';
import { checkRebase } from './rebase-guards.ts';
import { editRunImage, type NewRunImage } from './rebase-label.ts';
import { namesOf, sameName } from './run-image.ts';

/** The image that is given another base. */
export interface RebaseApp {
  /** As people call it: messages say it. */
  readonly name: string;
  readonly config: ImageConfig;
}

/** What it is put on. */
export interface RebaseBase {
  /** As it was asked for; the app's label must know it. */
  readonly name: string;
  /** What it is known by without a doubt (`ExportRunImage.reference`). */
  readonly reference: string;
  readonly config: ImageConfig;
}

export interface Rebased {
  readonly config: ImageConfig;
  /** How many of the app image's layers, from the lowest, are its old base's: those above lie on the new base's. */
  readonly replaced: number;
  /** What did not fit, and was forced. */
  readonly warnings: readonly string[];
}

/**
 * The config of an app image on another base (platform.md, rebaser; lifecycle phase/rebaser.go): layers and history of the new base below those of buildpacks, its platform, its `io.buildpacks.base.*` and
 * `io.buildpacks.stack.*` labels, itself in the label that says what the image is made of; all else stays. Throws `CNB_REBASE_FAILED` for an image that no buildpacks built, and where something does not fit and is not
 * forced (stack and mixins, of images of a Platform API before 0.12, cannot be).
 */
export function rebaseConfig(app: RebaseApp, base: RebaseBase, o: { force?: boolean | undefined } = {}): Rebased {
  const metadata = appMetadata(app);
  const warnings = checkRebase(app, base, o);
  const replaced = countBaseLayers(app, metadata);
  const diffIds = base.config.rootfs.diff_ids;
  let change: NewRunImage = { reference: base.reference, topLayer: diffIds.at(-1) ?? '' };
  if (!namesOf(metadata).some((name) => sameName(name, base.name))) {
    const known = namesOf(metadata).map((name) => `"${name}"`);
    const message = `new base image "${base.name}" not found in existing run image metadata: ${known.join(', ') || 'not found'}`;
    if (o.force !== true)
      throw buildpackError('CNB_REBASE_FAILED', `rebase "${app.name}": ${message}; please provide -force to override`, {
        remedy: 'Use a run image that the app was built for, or --force if you know that it works.',
      });
    warnings.push(message);
    change = { ...change, image: base.name };
  }
  return { config: configOn(app, base, { replaced, change }), replaced, warnings };
}

/** `rebaseConfig` for images: no layer is read. The family of media types is the new base's, as in a build on it. */
export async function rebaseImage(
  app: { readonly name: string; readonly image: Image },
  base: Omit<RebaseBase, 'config'> & { readonly image: Image; readonly config?: ImageConfig | undefined },
  o: { force?: boolean | undefined } & Wait = {},
): Promise<{ image: Image; warnings: readonly string[] }> {
  const { config, replaced, warnings } = rebaseConfig(
    { name: app.name, config: await configOf(app.image, o) },
    { name: base.name, reference: base.reference, config: base.config ?? (await configOf(base.image, o)) },
    o,
  );
  const above = (await app.image.layers(o)).slice(replaced);
  const { annotations } = await manifestOf(app.image, o);
  const mediaTypes = familyOf((await manifestOf(base.image, o)).mediaType) ?? 'oci';
  const image = makeImage({
    config,
    layers: [...(await base.image.layers(o)), ...above],
    mediaTypes,
    annotations: mediaTypes === 'oci' ? annotations : undefined,
  });
  return { image, warnings };
}

/** What the label of an app image says it is made of. Throws `CNB_REBASE_FAILED` where there is none. */
export function appMetadata({ name, config }: RebaseApp): LifecycleMetadata {
  const label = config.config?.Labels?.[LABELS.lifecycleMetadata];
  const metadata = label === undefined ? undefined : parseLifecycleMetadata(label);
  if (metadata) return metadata;
  throw buildpackError(
    'CNB_REBASE_FAILED',
    `rebase "${name}": could not find label "${LABELS.lifecycleMetadata}" on it${label === undefined ? '' : ' that can be read'}`,
    { remedy: 'Only an image that buildpacks built can be rebased; build any other anew.' },
  );
}

function countBaseLayers({ name, config }: RebaseApp, metadata: LifecycleMetadata): number {
  const { topLayer } = metadata.runImage;
  const diffIds = config.rootfs.diff_ids;
  const first = diffIds.findIndex((diffId) => diffId === topLayer);
  if (topLayer === '' || first < 0)
    throw buildpackError(
      'CNB_REBASE_FAILED',
      `rebase "${name}": could not find base layer "${topLayer}" in it, though its label says that it is the top one of its run image`,
      { remedy: 'Build the image anew: something has changed its layers.' },
    );
  // The same layer may be there twice, an empty one say: those that the label lists lie above the right one.
  const listed = [
    ...metadata.app,
    ...(metadata.sbom ? [metadata.sbom] : []),
    metadata.config,
    metadata.launcher,
    metadata.processTypes,
    ...metadata.buildpacks.flatMap(({ layers }) => Object.values(layers)),
  ].filter(({ sha }) => sha !== '').length;
  const at = metadata.app.length > 0 ? diffIds.slice(0, diffIds.length - listed).lastIndexOf(diffIds[first]!) : first;
  return Math.max(at, first) + 1;
}

function configOn(
  { config }: RebaseApp,
  base: RebaseBase,
  { replaced, change }: { replaced: number; change: NewRunImage },
): ImageConfig {
  const {
    architecture: _architecture,
    os: _os,
    variant: _variant,
    'os.version': _version,
    'os.features': _features,
    ...kept
  } = config;
  const { architecture, os, variant, 'os.version': version, 'os.features': features } = base.config;
  const diffIds = base.config.rootfs.diff_ids;
  const above = config.rootfs.diff_ids.slice(replaced);
  const isOfBase = ([name]: [string, string]): boolean => BASE_LABEL_PREFIXES.some((prefix) => name.startsWith(prefix));
  const labels = config.config?.Labels ?? {};
  const api = parseApi(config.config?.Env?.find((line) => line.startsWith('CNB_PLATFORM_API='))?.slice(17) ?? '');
  const history =
    api !== undefined && apiAtLeast(api, '0.12')
      ? [
          ...fittingHistory(base.config.history, diffIds.length),
          ...fittingHistory(config.history, config.rootfs.diff_ids.length).slice(replaced),
        ].map((entry) => ({ ...entry, ...(config.created === undefined ? {} : { created: config.created }) }))
      : Array.from({ length: diffIds.length + above.length }, () => ({ created: NEVER }));
  return {
    ...kept,
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    ...(version === undefined ? {} : { 'os.version': version }),
    ...(features === undefined ? {} : { 'os.features': features }),
    config: {
      ...config.config,
      Labels: {
        ...Object.fromEntries(Object.entries(labels).filter((label) => !isOfBase(label))),
        ...Object.fromEntries(Object.entries(base.config.config?.Labels ?? {}).filter(isOfBase)),
        [LABELS.lifecycleMetadata]: editRunImage(labels[LABELS.lifecycleMetadata] ?? '{}', change),
      },
    },
    rootfs: { type: 'layers', diff_ids: [...diffIds, ...above] },
    history,
  };
}
