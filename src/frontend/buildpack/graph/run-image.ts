import type { Wait } from '../../../base/index.ts';
import type { Digest, Platform } from '../../../blob/index.ts';
import { sourceState, type State } from '../../../graph/index.ts';
import { canonicalReference, parseConfig, parseReference, type ImageConfig } from '../../../image/index.ts';
import type { FrontendHost, PlannedLayer } from '../../index.ts';
import { buildpackError } from '../errors.ts';
import { imageTarget } from '../export/rebase-guards.ts';
import { digestReference } from '../export/run-image.ts';
import type { ImageTarget } from '../model/types.ts';
import type { Builder } from './builder.ts';
import { packagesRunImage } from './embedded.ts';
import type { BuildpackOptions } from './options.ts';
import { resolveImage } from './resolve-image.ts';

/** What an app image stands on. */
export interface RunBase {
  readonly state: State;
  readonly layers: readonly PlannedLayer[];
  readonly config: ImageConfig;
  /** With its digest. */
  readonly reference: string;
  /** The name it goes by in the app's labels, and other places that have it. */
  readonly image: string;
  readonly mirrors: readonly string[];
  readonly target: ImageTarget;
  /** diffIDs of its own layers, the lowest first. */
  readonly diffIds: readonly Digest[];
  /** Layers that extensions put on it. */
  readonly extensions?: readonly { readonly diffId: Digest; readonly createdBy: string }[] | undefined;
}

/** The run image: the one asked for, else the builder's first, or its mirror on the registry that the result goes to (platform.md, Run Image Resolution). */
export async function openRunImage(
  host: FrontendHost,
  builder: Builder,
  o: { options: BuildpackOptions; platform: Platform } & Wait,
): Promise<RunBase> {
  const { options, platform } = o;
  const [first] = builder.runImages;
  const name = options.runImage ?? (first && nearest([first.image, ...first.mirrors], options));
  if (name === undefined)
    throw buildpackError('CNB_BUILDER_INVALID', 'find the run image: the builder names none', {
      remedy: 'Name one with --run-image.',
    });
  if (isPackages(name)) return ofPackages(host, name, o);
  const known = builder.runImages.find(({ image, mirrors }) => [image, ...mirrors].includes(name));
  const reference = canonicalReference(parseReference(name));
  const resolved = await resolveImage(host, { type: 'image', reference, platform, pull: options.pull }, o);
  const config = parseConfig(resolved.config ?? Buffer.from('{}'));
  const found = resolved.source.source;
  const pinned = found.type === 'image' ? parseReference(found.reference).digest : undefined;
  const state = sourceState(found, { name: `[run image] ${name}`, group: 'export' });
  return {
    state,
    layers: [{ kind: 'base', image: state }],
    config,
    reference: pinned === undefined ? reference : digestReference(reference, pinned),
    image: known?.image ?? name,
    mirrors: known?.mirrors ?? [],
    target: imageTarget(config),
    diffIds: config.rootfs.diff_ids,
  };
}

/** A base of Debian packages, which strake makes. */
function isPackages(name: string): boolean {
  return name.startsWith('packages.local/');
}

async function ofPackages(host: FrontendHost, name: string, o: { platform: Platform } & Wait): Promise<RunBase> {
  const { base, state, config, digest } = await packagesRunImage(host, name, o);
  return {
    state,
    layers: [
      { kind: 'base', image: base },
      { kind: 'step', before: base, after: state, dialect: 'oci' },
    ],
    config,
    reference: `${name}@${digest}`,
    image: name,
    mirrors: [],
    target: imageTarget(config),
    diffIds: await host.diffIds(await host.solve(state, o), o),
  };
}

function nearest(names: readonly string[], { image, publish }: BuildpackOptions): string | undefined {
  const wanted = publish && image !== undefined ? parseReference(image).registry : undefined;
  return names.find((name) => parseReference(name).registry === wanted) ?? names[0];
}
