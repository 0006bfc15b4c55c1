import type { Clock, Random, Wait } from '../../base/index.ts';
import type { PlannedImage } from '../../frontend/index.ts';
import { digestOf } from '../../blob/index.ts';
import { encodeConfig, formatPlatform, hostPlatform, MEDIA, type ImageConfig } from '../../image/index.ts';
import {
  provenance,
  readPackages,
  spdx,
  type AttestationWishes,
  type BuildConfig,
  type Statement,
} from '../../supply/index.ts';
import type { RefLayer, Session, Worker } from '../../worker/index.ts';
import type { BuildRequest } from '../builder.ts';
import type { Asked } from '../frontend-host.ts';
import { capture } from './capture.ts';
import type { MadeLayer } from './llb-steps.ts';

/** A built image as far as it is spoken of. */
interface Spoken {
  readonly plan: PlannedImage;
  readonly layers: readonly RefLayer[];
  readonly config: ImageConfig;
  readonly epoch: number | undefined;
}

export interface StatementParts {
  readonly wishes: AttestationWishes;
  readonly request: BuildRequest;
  readonly asked: Asked;
  readonly worker: Worker;
  readonly session: Session;
  readonly clock: Clock;
  readonly random: Random;
  /** When the build began. */
  readonly started: number;
}

/** What is to be said about each image: what its frontend says, and what was asked for. */
export async function makeStatements(
  images: readonly Spoken[],
  o: StatementParts & Wait,
): Promise<readonly (readonly Statement[])[]> {
  const invocation = o.random.hex(16);
  const made: (readonly Statement[])[] = [];
  for (const image of images) {
    const own = image.plan.attestations.map((one) => ({ ...one, filename: '' }));
    const wish = o.wishes.provenance;
    const inside = o.wishes.sbom ? [await sbomOf(image, o)] : [];
    if (!wish) {
      made.push([...own, ...inside]);
      continue;
    }
    const { frontend, options } = o.request.told ?? o.request;
    const { sources, ...found } = await capture([image.plan.root], {
      asked: o.asked,
      options,
      platform: formatPlatform(image.plan.platform),
      pin: async (source, w) => {
        const nothing = (): void => undefined;
        const { session, worker } = o;
        return (await worker.resolve(source, { session, ...w, onNote: nothing, onProgress: nothing })).source;
      },
      vet: o.session.vet,
      signal: o.signal,
    });
    const isDockerfile = frontend === 'dockerfile';
    const facts = {
      ...found,
      sources,
      frontend: isDockerfile ? 'dockerfile.v0' : frontend,
      options,
      path: options['filename'] ?? (isDockerfile ? 'Dockerfile' : undefined),
      builder: hostPlatform(process),
      started: o.started,
      finished: o.clock.now(),
      invocation,
    };
    const config = wish.mode === 'max' ? await configOf(image, o) : undefined;
    made.push([...own, ...inside, provenance({ ...facts, config }, wish)]);
  }
  return made;
}

/** What an image holds, read from its layers without mounting them. */
async function sbomOf(
  { plan, layers, config, epoch }: Spoken,
  { worker, session, clock, signal }: StatementParts & Wait,
): Promise<Statement> {
  const view = await worker.viewOf({ kind: 'layers', layers }, { session, signal });
  const created = Date.parse(config.created ?? '');
  return spdx(await readPackages(view, { signal }), {
    imageId: digestOf(encodeConfig(config)),
    platform: plan.platform,
    created: Number.isNaN(created) ? (epoch ?? clock.now() / 1000) * 1000 : created,
  });
}

/** The steps of an image, loaded with what they are told in where somebody asks. */
async function configOf(image: Spoken, o: StatementParts): Promise<BuildConfig | undefined> {
  const { llbSteps } = await import('./llb-steps.ts');
  return llbSteps(image.plan.root, { texts: o.asked.texts, layers: layersOf(image, o) });
}

/** What steps have made, where layers lie as they were planned; those made here as the tars that their config names. */
function layersOf({ plan, layers }: Spoken, { worker }: StatementParts): readonly MadeLayer[] {
  const steps = plan.layers.filter(({ kind }) => kind === 'step').length;
  const below = layers.length - steps;
  if (below < 0) return [];
  const described = layers.map(({ diffId, compressed }) => {
    if (compressed === undefined)
      return { mediaType: MEDIA.ociLayer, digest: diffId, size: worker.store.sizeOf(diffId) ?? 0 };
    const { mediaType, digest, size } = compressed;
    return { mediaType, digest, size };
  });
  let at = below;
  return plan.layers.flatMap((layer) => {
    const edge = layer.kind === 'base' ? layer.image.edge : layer.after.edge;
    if (layer.kind === 'step') at += 1;
    return edge ? [{ vertex: edge.vertex.digest, chain: described.slice(0, at) }] : [];
  });
}
