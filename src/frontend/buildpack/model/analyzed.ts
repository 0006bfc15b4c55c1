import { encodeToml } from '../../../base/index.ts';
import { EMPTY_LIFECYCLE_METADATA, lifecycleMetadataOf, lifecycleMetadataTable } from './lifecycle-metadata.ts';
import { TomlTable } from './toml-table.ts';
import type { ImageTarget, LifecycleMetadata } from './types.ts';

/** analyzed.toml: what is known of the images before a build. */
export interface Analyzed {
  /** The previous image: a reference by digest, an image id, or a path. */
  readonly previousImage?: string | undefined;
  /** The build image that extensions are to extend. */
  readonly buildImage?: string | undefined;
  readonly metadata: LifecycleMetadata;
  readonly runImage?: AnalyzedRunImage | undefined;
}

export interface AnalyzedRunImage {
  readonly reference: string;
  /** Its name, as the platform or an extension gave it. */
  readonly image?: string | undefined;
  readonly extend: boolean;
  readonly target?: ImageTarget | undefined;
}

/** analyzed.toml (platform.md). Throws CNB_FILE_INVALID, INVALID_TOML. The variant of a target is read by the specification's name and by the lifecycle's. */
export function parseAnalyzed(text: string, file: string): Analyzed {
  const top = TomlTable.parse(text, file);
  const reference = (key: string): string | undefined => top.table(key).text('reference') || undefined;
  return {
    previousImage: reference('image'),
    buildImage: reference('build-image'),
    metadata: top.has('metadata') ? lifecycleMetadataOf(top.free('metadata')) : EMPTY_LIFECYCLE_METADATA,
    runImage: top.has('run-image') ? readRunImage(top.table('run-image')) : undefined,
  };
}

function readRunImage(table: TomlTable): AnalyzedRunImage {
  return {
    reference: table.text('reference') ?? '',
    image: table.text('image') || undefined,
    extend: table.flag('extend'),
    target: table.has('target') ? readTarget(table.table('target')) : undefined,
  };
}

function readTarget(table: TomlTable): ImageTarget {
  const distro = table.table('distro');
  return {
    id: table.text('id') || undefined,
    os: table.text('os') ?? '',
    arch: table.text('arch') ?? '',
    variant: table.text('variant') ?? table.text('arch-variant') ?? '',
    distro: table.has('distro')
      ? { name: distro.text('name') ?? '', version: distro.text('version') ?? '' }
      : undefined,
  };
}

/** analyzed.toml. The variant is written under both names, since phases of the lifecycle may read it. */
export function encodeAnalyzed(analyzed: Analyzed): string {
  const { runImage } = analyzed;
  const target = runImage?.target;
  return encodeToml({
    image: analyzed.previousImage === undefined ? undefined : { reference: analyzed.previousImage },
    'build-image': analyzed.buildImage === undefined ? undefined : { reference: analyzed.buildImage },
    metadata: lifecycleMetadataTable(analyzed.metadata),
    'run-image': runImage && {
      reference: runImage.reference,
      image: runImage.image,
      extend: runImage.extend || undefined,
      target: target && {
        id: target.id,
        os: target.os,
        arch: target.arch,
        variant: target.variant || undefined,
        'arch-variant': target.variant || undefined,
        distro: target.distro,
      },
    },
  });
}
