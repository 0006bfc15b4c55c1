import type { Wait } from '../../../base/index.ts';
import type { Platform } from '../../../blob/index.ts';
import { scratch, type State } from '../../../graph/index.ts';
import {
  familiarReference,
  formatPlatform,
  hostPlatform,
  parseReference,
  type ImageConfig,
} from '../../../image/index.ts';
import type { FrontendHost, PlannedImage } from '../../index.ts';
import { buildpackError } from '../errors.ts';
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

/** The name that `${base_image}` is given, and what it means. */
const BASE = 'extended-base';
const REBASABLE = 'io.buildpacks.rebasable';

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
    config: withLabel(image.config, REBASABLE, String(rebasable)),
    extensions: added.map((diffId, index) => ({ diffId, createdBy: created[index] ?? '' })),
  };
}

/** One Dockerfile after the other, by strake's own frontend. */
async function apply(
  host: FrontendHost,
  start: PlannedImage,
  o: Extending & { readonly builder: Builder; readonly extensions: readonly Extension[] },
): Promise<{ readonly image: PlannedImage; readonly created: readonly string[]; readonly rebasable: boolean }> {
  const { builder, options, platform } = o;
  const created: string[] = [];
  let image = start;
  let rebasable = true;
  for (const extension of o.extensions) {
    const { element, tree, file, context, args } = extension;
    const named = Object.fromEntries(args.map(({ name, value }) => [`build-arg:${name}`, value]));
    // A FROM that names an image is that image: what came before is that already.
    const base = extension.from ?? BASE;
    const plan = await host.call(
      'dockerfile',
      {
        options: {
          filename: file.slice(1),
          // What is checked of an extension's file is checked where it is read.
          'build-arg:BUILDKIT_DOCKERFILE_CHECK': 'skip=all',
          'build-arg:base_image': BASE,
          'build-arg:build_id': options.buildId,
          ...(options.noCache ? { 'no-cache': '' } : {}),
          'build-arg:user_id': String(builder.uid),
          'build-arg:group_id': String(builder.gid),
          ...named,
          [`context:${familiarReference(parseReference(base)).replace(/:latest$/, '')}`]: `input:${BASE}`,
          ...(options.network === 'default' ? {} : { 'force-network-mode': options.network }),
        },
        platforms: [platform],
        buildPlatform: hostPlatform(process),
      },
      {
        inputs: new Map<string, State | PlannedImage>([
          [BASE, image],
          ['dockerfile', tree],
          ['context', contextTree(context === undefined ? o.app : tree, context ?? options.appDir)],
        ]),
        signal: o.signal,
      },
    );
    const made = plan.results.get(formatPlatform(platform));
    if (!made) throw new TypeError(`extend by ${element.id}: there is no image for ${formatPlatform(platform)}`);
    const before = image.config.history?.length ?? 0;
    for (const { created_by: text = '', empty_layer: empty } of (made.config.history ?? []).slice(before))
      if (!empty) created.push(`Layer: '${text}', Created by extension: ${element.id}`);
    rebasable &&= made.config.config?.Labels?.[REBASABLE] === 'true';
    image = made;
  }
  return { image, created, rebasable };
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
