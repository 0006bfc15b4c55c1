import { messageOf, type Wait } from '../base/index.ts';
import type { Platform } from '../blob/index.ts';
import type { Plan, PlannedImage, PlatformKey } from '../frontend/index.ts';
import { encodeConfig, formatPlatform, normalizePlatform, parseConfig, type ImageConfig } from '../image/index.ts';
import { create } from '../wire/grpc/index.ts';
import { ResultSchema, type Attestation, type Ref, type Result } from '../wire/gen/buildkit/gateway_pb.ts';
import { gatewayError } from './errors.ts';
import { readAttestations } from './read-attestations.ts';
import type { Held, HeldRefs } from './steering.ts';

const CONFIG = 'containerimage.config';
const PLATFORMS = 'refs.platforms';
const MULTI = 'multi.platform';

interface WirePlatforms {
  readonly Platforms?: readonly { readonly ID: string; readonly Platform: Platform }[] | null;
}

/** A frontend's plan as a client gets it: a ref for each result, configs and platforms as metadata (frontend/dockerui). */
export function toResult(plan: Plan, o: { readonly hold: (held: Held) => Ref; readonly arrays: boolean }): Result {
  const metadata: Record<string, Uint8Array> = {};
  for (const [key, value] of plan.metadata) if (key !== MULTI) metadata[key] = value;
  const images = [...plan.results];
  if (images.length === 0) return create(ResultSchema, { metadata });
  const many = images.length > 1 || plan.metadata.has(MULTI);
  const refs: Record<string, Ref> = {};
  const platforms: { ID: string; Platform: Platform }[] = [];
  for (const [key, image] of images) {
    const ref = o.hold({ state: image.root, image });
    refs[key] = ref;
    platforms.push({ ID: key, Platform: image.platform });
    metadata[many ? `${CONFIG}/${key}` : CONFIG] = encodeConfig(image.config);
  }
  metadata[PLATFORMS] = Buffer.from(JSON.stringify({ Platforms: platforms }));
  const [first] = Object.values(refs);
  if (!many && first)
    return create(ResultSchema, {
      metadata,
      result: o.arrays ? { case: 'ref', value: first } : { case: 'refDeprecated', value: first.id },
    });
  if (o.arrays) return create(ResultSchema, { metadata, result: { case: 'refs', value: { refs } } });
  const ids = Object.fromEntries(Object.entries(refs).map(([key, ref]) => [key, ref.id]));
  return create(ResultSchema, { metadata, result: { case: 'refsDeprecated', value: { refs: ids } } });
}

/** What a client returns as a plan. Refs that a frontend planned keep their layers and history; others are one tree with the config that came along. Throws `SOLVE_INVALID`, `REF_UNKNOWN`. */
export async function toPlan(
  result: Result | undefined,
  o: { readonly steering: HeldRefs; readonly platform: Platform } & Wait,
): Promise<Plan> {
  const metadata = new Map<string, Uint8Array>(Object.entries(result?.metadata ?? {}));
  const refs = refsOf(result);
  const results = new Map<PlatformKey, PlannedImage>();
  const platforms = platformsOf(metadata.get(PLATFORMS));
  // In the order that the platforms are told in, which is that of the index.
  const order = [...platforms.keys()];
  const place = (key: string): number => (order.includes(key) ? order.indexOf(key) : order.length);
  for (const [key, id] of [...refs.ids].sort(([a], [b]) => place(a) - place(b))) {
    if (id === '') continue;
    const held = o.steering.held(id);
    const platform = platforms.get(key) ?? (refs.many ? undefined : [...platforms.values()][0]);
    const config = metadata.get(refs.many ? `${CONFIG}/${key}` : CONFIG) ?? metadata.get(CONFIG);
    const image = imageOf(held, { platform: platform ?? held.image?.platform ?? o.platform, config });
    const attestations = await readAttestations(said(result, refs.many ? key : undefined), o.steering, o);
    results.set(
      refs.many ? key : formatPlatform(image.platform),
      attestations.length > 0 ? { ...image, attestations: [...image.attestations, ...attestations] } : image,
    );
  }
  if (refs.many) metadata.set(MULTI, Buffer.from('true'));
  return { results, metadata };
}

/** What is said about one of the results; about the only one whatever it is called. */
function said(result: Result | undefined, key: string | undefined): readonly Attestation[] {
  const all = Object.entries(result?.attestations ?? {});
  return all.filter(([name]) => key === undefined || name === key).flatMap(([, { attestation }]) => attestation);
}

function refsOf(result: Result | undefined): {
  readonly many: boolean;
  readonly ids: readonly (readonly [string, string])[];
} {
  switch (result?.result.case) {
    case 'ref':
      return { many: false, ids: [['', result.result.value.id]] };
    case 'refDeprecated':
      return { many: false, ids: [['', result.result.value]] };
    case 'refs':
      return { many: true, ids: Object.entries(result.result.value.refs).map(([key, ref]) => [key, ref.id]) };
    case 'refsDeprecated':
      return { many: true, ids: Object.entries(result.result.value.refs) };
    default:
      return { many: false, ids: [] };
  }
}

/** A tree alone as an image: all its layers, and what the config says. */
export function imageOf(
  { state, image }: Held,
  o: { readonly platform: Platform; readonly config: Uint8Array | undefined },
): PlannedImage {
  if (image && (o.config === undefined || Buffer.compare(o.config, encodeConfig(image.config)) === 0)) return image;
  const config = o.config === undefined ? emptyConfig(o.platform) : configOf(o.config);
  if (image) return { ...image, config: { ...config, rootfs: image.config.rootfs } };
  return {
    platform: o.platform,
    layers: state.isScratch ? [] : [{ kind: 'base', image: state }],
    root: state,
    config: { ...config, rootfs: { type: 'layers', diff_ids: [] } },
    baseHistory: 0,
    attestations: [],
  };
}

function emptyConfig(platform: Platform): ImageConfig {
  return {
    architecture: platform.architecture,
    os: platform.os,
    ...(platform.variant !== undefined && { variant: platform.variant }),
    config: { Env: ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'] },
    rootfs: { type: 'layers', diff_ids: [] },
  };
}

function configOf(bytes: Uint8Array): ImageConfig {
  try {
    return parseConfig(bytes);
  } catch (error) {
    // A frontend leaves to the exporter what follows from the layers.
    try {
      const value = JSON.parse(Buffer.from(bytes).toString()) as ImageConfig;
      if (typeof value.os === 'string' && typeof value.architecture === 'string') return value;
    } catch {
      // What is wrong has been said.
    }
    throw gatewayError('SOLVE_INVALID', `read the returned "${CONFIG}": ${messageOf(error)}`, { cause: error });
  }
}

function platformsOf(bytes: Uint8Array | undefined): Map<string, Platform> {
  if (!bytes) return new Map();
  try {
    const { Platforms } = JSON.parse(Buffer.from(bytes).toString()) as WirePlatforms;
    return new Map((Platforms ?? []).map(({ ID, Platform: one }) => [ID, normalizePlatform(one)]));
  } catch (error) {
    throw gatewayError('SOLVE_INVALID', `read the returned "${PLATFORMS}": ${messageOf(error)}`, { cause: error });
  }
}
