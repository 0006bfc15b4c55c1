import type { Wait } from '../../../base/index.ts';
import type { State } from '../../../graph/index.ts';
import { familiarReference, formatPlatform, hostPlatform, parseReference } from '../../../image/index.ts';
import type { FrontendHost, PlannedImage } from '../../index.ts';
import { LABELS, type BuildArg } from '../model/index.ts';

/** A Dockerfile of an extension, to be applied. */
export interface ExtensionDockerfile {
  /** The extension's. */
  readonly id: string;
  /** The tree that holds the file, at `file`. */
  readonly tree: State;
  readonly file: string;
  /** Its build context, at the tree's root. */
  readonly context: State;
  readonly args: readonly BuildArg[];
  /** What its FROM names; undefined for `${base_image}`. */
  readonly from: string | undefined;
}

export interface Applied {
  readonly image: PlannedImage;
  /** `created_by` of each layer that was added. */
  readonly created: readonly string[];
  /** All of them say that the app image may be rebased. */
  readonly rebasable: boolean;
}

/** The name that `${base_image}` is given, and what it means. */
const BASE = 'extended-base';

/** Applies the Dockerfiles of extensions, one after the other, each on what the one before made (image_extension.md; lifecycle phase/extender.go). */
export async function applyDockerfiles(
  host: FrontendHost,
  start: PlannedImage,
  o: {
    readonly dockerfiles: readonly ExtensionDockerfile[];
    /** What `user_id` and `group_id` are. */
    readonly ids: { readonly uid: string; readonly gid: string };
    readonly buildId: string;
    readonly noCache?: boolean | undefined;
    readonly network?: string | undefined;
  } & Wait,
): Promise<Applied> {
  const { platform } = start;
  const created: string[] = [];
  let image = start;
  let rebasable = true;
  for (const { id, tree, file, context, args, from } of o.dockerfiles) {
    const named = Object.fromEntries(args.map(({ name, value }) => [`build-arg:${name}`, value]));
    // A FROM that names an image is that image: what came before is that already.
    const base = from ?? BASE;
    const plan = await host.call(
      'dockerfile',
      {
        options: {
          filename: file,
          // What is checked of an extension's file is checked where it is read.
          'build-arg:BUILDKIT_DOCKERFILE_CHECK': 'skip=all',
          'build-arg:base_image': BASE,
          'build-arg:build_id': o.buildId,
          ...(o.noCache === true ? { 'no-cache': '' } : {}),
          'build-arg:user_id': o.ids.uid,
          'build-arg:group_id': o.ids.gid,
          ...named,
          [`context:${familiarReference(parseReference(base)).replace(/:latest$/, '')}`]: `input:${BASE}`,
          ...(o.network === undefined ? {} : { 'force-network-mode': o.network }),
        },
        platforms: [platform],
        buildPlatform: hostPlatform(process),
      },
      {
        inputs: new Map<string, State | PlannedImage>([
          [BASE, image],
          ['dockerfile', tree],
          ['context', context],
        ]),
        signal: o.signal,
      },
    );
    const made = plan.results.get(formatPlatform(platform));
    if (!made) throw new TypeError(`extend by ${id}: there is no image for ${formatPlatform(platform)}`);
    const before = image.config.history?.length ?? 0;
    for (const { created_by: text = '', empty_layer: empty } of (made.config.history ?? []).slice(before))
      if (!empty) created.push(`Layer: '${text}', Created by extension: ${id}`);
    rebasable &&= made.config.config?.Labels?.[LABELS.rebasable] === 'true';
    image = made;
  }
  return { image, created, rebasable };
}
