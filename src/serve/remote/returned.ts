import type { Plan } from '../../frontend/index.ts';
import { encodeConfig } from '../../image/index.ts';
import type { MessageInitShape } from '../../wire/grpc/index.ts';
import { AttestationKind, type ResultSchema } from '../../wire/gen/buildkit/gateway_pb.ts';
import { scratch } from '../../graph/index.ts';
import type { BridgeHost } from './bridge-host.ts';
import { layeredState } from './layered-state.ts';

/** A plan as a daemon takes it. */
export interface Returned {
  /** By platform; one without a platform stands alone. */
  readonly refs: ReadonlyMap<string, string>;
  readonly alone: boolean;
  readonly metadata: Readonly<Record<string, Uint8Array>>;
  /** What is said about the results: a ref of a tree with the predicate as its one file. */
  readonly attestations?: ReadonlyMap<string, readonly { readonly type: string; readonly ref: string }[]> | undefined;
}

/** Metadata of plans that is said otherwise here. */
const OWN: ReadonlySet<string> = new Set(['multi.platform', 'source.date.epoch']);
const PREDICATE = '/predicate.json';

/** A plan as what is exported. */
export async function returned(
  plan: Plan,
  host: BridgeHost,
  { squash }: { readonly squash?: boolean | undefined } = {},
): Promise<Returned> {
  const alone = plan.results.size <= 1 && !plan.metadata.has('multi.platform');
  const metadata: Record<string, Uint8Array> = {};
  for (const [key, value] of plan.metadata) if (plan.results.size === 0 || !OWN.has(key)) metadata[key] = value;
  const refs = new Map<string, string>();
  const attestations = new Map<string, { type: string; ref: string }[]>();
  for (const [key, image] of plan.results) {
    refs.set(key, await host.planned(layeredState(image, { squash })));
    metadata[alone ? 'containerimage.config' : `containerimage.config/${key}`] = encodeConfig(image.config);
    for (const { predicateType, predicate } of image.attestations) {
      const content = Buffer.from(predicate).toString('base64');
      const state = scratch.file(
        [{ kind: 'mkfile', path: PREDICATE, mode: 0o644, content, encoding: 'base64', mtime: 0 }],
        [],
        { name: `[internal] what is said of type ${predicateType}`, internal: true },
      );
      const said = attestations.get(key) ?? [];
      attestations.set(key, [...said, { type: predicateType, ref: await host.planned(state) }]);
    }
  }
  const keys = [...plan.results.keys()];
  const platforms = [...plan.results.values()].map(({ platform }, at) => ({ ID: keys[at], Platform: platform }));
  if (platforms.length > 0) metadata['refs.platforms'] = Buffer.from(JSON.stringify({ Platforms: platforms }));
  return { refs, alone, metadata, attestations };
}

export function toWireResult({
  refs,
  alone,
  metadata,
  attestations = new Map(),
}: Returned): MessageInitShape<typeof ResultSchema> {
  const named = [...refs].map(([key, id]) => [key, { id }] as const);
  return {
    metadata: { ...metadata },
    attestations: Object.fromEntries(
      [...attestations].map(([key, list]) => [
        key,
        {
          attestation: list.map(({ type, ref }) => ({
            kind: AttestationKind.InToto,
            ref: { id: ref },
            path: PREDICATE,
            inTotoPredicateType: type,
            inTotoSubjects: [{}],
          })),
        },
      ]),
    ),
    result: alone
      ? { case: 'ref', value: { id: named[0]?.[1].id ?? '' } }
      : { case: 'refs', value: { refs: Object.fromEntries(named) } },
  };
}
