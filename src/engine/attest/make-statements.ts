import type { Clock, Random, Wait } from '../../base/index.ts';
import type { PlannedImage } from '../../frontend/index.ts';
import { formatPlatform, hostPlatform } from '../../image/index.ts';
import { provenance, type AttestationWishes, type Statement } from '../../supply/index.ts';
import type { Session, Worker } from '../../worker/index.ts';
import type { BuildRequest } from '../builder.ts';
import type { Asked } from '../frontend-host.ts';
import { capture } from './capture.ts';

/** A built image as far as it is spoken of. */
interface Spoken {
  readonly plan: PlannedImage;
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
    if (!wish) {
      made.push(own);
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
    made.push([...own, provenance(facts, wish)]);
  }
  return made;
}
