/** The labels of the specification, of the lifecycle and of pack. */
export const LABELS = {
  lifecycleMetadata: 'io.buildpacks.lifecycle.metadata',
  buildMetadata: 'io.buildpacks.build.metadata',
  projectMetadata: 'io.buildpacks.project.metadata',
  cacheMetadata: 'io.buildpacks.lifecycle.cache.metadata',
  execEnv: 'io.buildpacks.exec-env',
  rebasable: 'io.buildpacks.rebasable',
  lifecycleVersion: 'io.buildpacks.lifecycle.version',
  lifecycleApis: 'io.buildpacks.lifecycle.apis',
  builderMetadata: 'io.buildpacks.builder.metadata',
  buildpackLayers: 'io.buildpacks.buildpack.layers',
  extensionLayers: 'io.buildpacks.extension.layers',
  buildpackOrder: 'io.buildpacks.buildpack.order',
  extensionOrder: 'io.buildpacks.buildpack.order-extensions',
  systemBuildpacks: 'io.buildpacks.buildpack.system',
  buildpackageMetadata: 'io.buildpacks.buildpackage.metadata',
  stackId: 'io.buildpacks.stack.id',
  stackMixins: 'io.buildpacks.stack.mixins',
  baseId: 'io.buildpacks.base.id',
  distroName: 'io.buildpacks.base.distro.name',
  distroVersion: 'io.buildpacks.base.distro.version',
} as const;

/** Labels that a rebase takes over from the new base. */
export const BASE_LABEL_PREFIXES: readonly string[] = ['io.buildpacks.base.', 'io.buildpacks.stack.'];
