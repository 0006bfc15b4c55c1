import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { scratch, type State } from '../../../graph/index.ts';
import type { ImageConfig } from '../../../image/index.ts';
import type { FrontendHost, PlannedImage } from '../../index.ts';
import { buildpackError } from '../errors.ts';
import { LABELS } from '../model/index.ts';
import { applyDockerfiles, type Applied } from './apply-dockerfiles.ts';
import type { Builder } from './builder.ts';
import type { Extension } from './generate.ts';
import type { BuildpackOptions } from './options.ts';
import { filesOf } from './ref-files.ts';
import { openRunImage, type RunBase } from './run-image.ts';

interface Extending extends Wait {
  readonly options: BuildpackOptions;
  readonly platform: Platform;
  readonly app: State;
}

/** The builder with the changes of extensions in it: what buildpacks run in. */
export async function extendBuilder(
  host: FrontendHost,
  builder: Builder,
  o: Extending & { readonly extensions: readonly Extension[] },
): Promise<Builder> {
  if (o.extensions.length === 0) return builder;
  const start = imageOf(builder.state, {
    env: builder.env,
    user: `${builder.uid}:${builder.gid}`,
    platform: o.platform,
  });
  const { image } = await apply(host, start, { ...o, builder });
  const env = image.config.config?.Env ?? builder.env;
  return { ...builder, state: image.root, files: await filesOf(host, image.root, o), env };
}

/**
 * The run image with the changes of extensions on it. The last Dockerfile that is not on `${base_image}` names another run image; those before it no longer count (image_extension.md; lifecycle phase/generator.go).
 * Throws `CNB_FILE_INVALID` where it would run as root.
 */
export async function extendRunImage(
  host: FrontendHost,
  run: RunBase,
  o: Extending & { readonly builder: Builder; readonly extensions: readonly Extension[] },
): Promise<RunBase> {
  const last = o.extensions.findLastIndex(({ from }) => from !== undefined);
  const switched = o.extensions[last]?.from;
  const base =
    switched === undefined
      ? run
      : await openRunImage(host, o.builder, { ...o, options: { ...o.options, runImage: switched } });
  const known = o.builder.runImages.flatMap(({ image, mirrors }) => [image, ...mirrors]);
  if (switched !== undefined && !known.includes(switched))
    host.warn({
      code: 'EXTENSION_WARNING',
      message: `the new run image "${switched}" is none that the builder names`,
    });
  const extending = o.extensions.slice(Math.max(0, last)).filter((extension) => extension.extends);
  if (extending.length === 0) return base;
  const start: PlannedImage = {
    platform: o.platform,
    layers: base.layers,
    root: base.state,
    config: base.config,
    baseHistory: base.config.history?.length ?? 0,
    attestations: [],
  };
  const { image, created, rebasable } = await apply(host, start, { ...o, extensions: extending });
  const user = image.config.config?.User ?? '';
  if (/^(?:|0|root)(?::|$)/.test(user))
    throw buildpackError(
      'CNB_FILE_INVALID',
      `extend the run image: it would run as ${user === '' ? 'root' : `"${user}"`}`,
      { remedy: 'End run.Dockerfile with ARG user_id, ARG group_id and USER ${user_id}:${group_id}.' },
    );
  const all = await host.diffIds(await host.solve(image.root, o), o);
  const added = all.slice(base.diffIds.length);
  return {
    ...base,
    state: image.root,
    layers: image.layers,
    config: withLabel(image.config, LABELS.rebasable, String(rebasable)),
    extensions: added.map((diffId, index) => ({ diffId, createdBy: created[index] ?? '' })),
  };
}

/** One Dockerfile after the other, by strake's own frontend. */
async function apply(
  host: FrontendHost,
  start: PlannedImage,
  o: Extending & { readonly builder: Builder; readonly extensions: readonly Extension[] },
): Promise<Applied> {
  const { builder, options } = o;
  return applyDockerfiles(host, start, {
    dockerfiles: o.extensions.map(({ element, tree, file, context, args, from }) => ({
      id: element.id,
      tree,
      file: file.slice(1),
      context: contextTree(context === undefined ? o.app : tree, context ?? options.appDir),
      args,
      from,
    })),
    ids: { uid: String(builder.uid), gid: String(builder.gid) },
    buildId: options.buildId,
    noCache: options.noCache,
    network: options.network === 'default' ? undefined : options.network,
    signal: o.signal,
  });
}

/** A folder of a tree as the root. */
function contextTree(from: State, folder: string): State {
  return scratch.copy(
    from,
    { sources: [folder], destination: '/', wildcard: false, parents: false, unpack: false, followDestination: true },
    { name: '[internal] context of an extension', internal: true },
  );
}

function imageOf(root: State, o: { env: readonly string[]; user: string; platform: Platform }): PlannedImage {
  const { os, architecture, variant } = o.platform;
  const config: ImageConfig = {
    architecture,
    os,
    ...(variant === undefined ? {} : { variant }),
    config: { Env: o.env, User: o.user },
    rootfs: { type: 'layers', diff_ids: [] },
    history: [],
  };
  return { platform: o.platform, layers: [], root, config, baseHistory: 0, attestations: [] };
}

function withLabel(image: ImageConfig, key: string, value: string): ImageConfig {
  return { ...image, config: { ...image.config, Labels: { ...image.config?.Labels, [key]: value } } };
}
