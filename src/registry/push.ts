import { hasCode, type Bytes, type Wait } from '../base/index.ts';
import { digestOf, type Descriptor, type Digest } from '../blob/index.ts';
import {
  indexManifestOf,
  isForeignLayerType,
  isIndexType,
  isManifestType,
  manifestOf,
  parseManifest,
  type Image,
  type Index,
  type Layer,
} from '../image/index.ts';
import type { Endpoint } from './endpoints.ts';
import { registryError } from './errors.ts';
import { failureOf } from './failure.ts';
import { inParallel } from './in-parallel.ts';
import { headManifest } from './remote-manifest.ts';
import { scopeOf } from './repository.ts';
import type { Transfer } from './transfer.ts';
import { uploadBlob } from './upload.ts';

export interface PushContext extends Wait {
  readonly endpoint: Endpoint;
  /** Repositories of the registry from which blobs may be mounted. */
  readonly mountFrom: readonly string[];
  /** Also upload layers that are marked as not to be distributed. */
  readonly foreign: boolean;
  readonly progress?: ((transfer: Transfer) => void) | undefined;
  /** Blobs that are there or on their way: each travels once. */
  readonly blobs: Map<Digest, Promise<unknown>>;
}

const AT_ONCE = 4;

/** Everything that `x` names, then nothing else: its own manifest is left to the caller. */
export async function pushContents(x: Image | Index, context: PushContext): Promise<void> {
  if (x.kind === 'image') return pushImageContents(x, context);
  const { manifests } = await indexManifestOf(x, context);
  return inParallel(manifests, { limit: AT_ONCE, signal: context.signal }, (descriptor, { signal }) =>
    pushMember(x, descriptor, { ...context, signal }),
  );
}

/** PUTs a manifest under a tag or its digest. What is there already under that name is not sent again: a tag may not be allowed to change. */
export async function putManifest(
  content: Uint8Array,
  o: { endpoint: Endpoint; reference: string; mediaType: string } & Wait,
): Promise<void> {
  const { endpoint, reference, mediaType, signal } = o;
  const { transport, repository } = endpoint;
  const name = `${transport.registry}/${repository}${reference.includes(':') ? '@' : ':'}${reference}`;
  const digest = digestOf(content);
  const known = await headManifest(endpoint, { reference, what: name, push: true, signal });
  if (known?.digest === digest || (known && known.digest === reference)) return;
  const what = `push manifest "${name}"`;
  const scopes = [scopeOf(repository, 'pull', 'push')];
  await using response = await transport.request({
    method: 'PUT',
    url: endpoint.url(`manifests/${reference}`),
    scopes,
    headers: { 'content-type': mediaType, 'content-length': String(content.length) },
    body: () => content,
    what,
    signal,
  });
  if (response.status < 200 || response.status > 299)
    throw await failureOf(response, {
      what,
      registry: transport.registry,
      user: await transport.user(scopes),
      access: 'push',
    });
  const said = response.headers['docker-content-digest'];
  if (said !== undefined && said.startsWith('sha256:') && said !== digest)
    throw registryError('REGISTRY_PROTOCOL', `${what}: the registry stored ${said} instead of ${digest}`);
}

/** Layers travel as soon as their descriptor is known, while others may still be compressed. */
async function pushImageContents(image: Image, context: PushContext): Promise<void> {
  const layers = await image.layers(context);
  await inParallel(layers, { limit: AT_ONCE, signal: context.signal }, async (layer, { signal }) => {
    const descriptor = await layer.descriptor({ signal });
    if (isForeignLayerType(descriptor.mediaType) && !context.foreign) return;
    await pushBlob(descriptor, (w) => layer.compressed(w), {
      ...context,
      signal,
      mountFrom: neighbours(layer, context),
    });
  });
  const { config } = await manifestOf(image, context);
  const content = await image.config(context);
  await pushBlob(
    { mediaType: config.mediaType, digest: config.digest, size: content.length },
    async () => once(content),
    context,
  );
}

async function pushMember(index: Index, descriptor: Descriptor, context: PushContext): Promise<void> {
  const { endpoint, signal } = context;
  const name = `${endpoint.transport.registry}/${endpoint.repository}@${descriptor.digest}`;
  let member: Image | Index;
  try {
    member = await index.member(descriptor, context);
  } catch (error) {
    // Neither image nor index: its bytes are all we know of it.
    if (!hasCode(error, 'MANIFEST_UNSUPPORTED', 'MANIFEST_INVALID', 'MANIFEST_TOO_LARGE') || !index.blob) throw error;
    await pushBlob(descriptor, (w) => (index.blob as NonNullable<Index['blob']>)(descriptor, w), context);
    return;
  }
  // A registry takes a manifest only with all that it names.
  if (await headManifest(endpoint, { reference: descriptor.digest, what: name, push: true, signal })) return;
  await pushContents(member, context);
  const content = await member.manifest(context);
  const known = isManifestType(descriptor.mediaType) || isIndexType(descriptor.mediaType);
  const mediaType = known ? descriptor.mediaType : parseManifest(content).mediaType;
  await putManifest(content, { endpoint, reference: descriptor.digest, mediaType, signal });
}

async function pushBlob(
  descriptor: Descriptor,
  open: (w?: Wait) => Promise<Bytes>,
  context: PushContext,
): Promise<void> {
  let running = context.blobs.get(descriptor.digest);
  if (!running) {
    running = uploadBlob(context.endpoint, { descriptor, open }, context);
    context.blobs.set(descriptor.digest, running);
  }
  await running;
}

/** Where in this registry a layer comes from, before the repositories that the caller named. */
function neighbours(layer: Layer, { endpoint, mountFrom }: PushContext): readonly string[] {
  const prefix = `${endpoint.transport.registry}/`;
  const source = layer.source?.reference;
  const own = source?.startsWith(prefix) ? [source.slice(prefix.length)] : [];
  return [...own, ...mountFrom.filter((name) => !own.includes(name))];
}

async function* once(content: Uint8Array): Bytes {
  yield content;
}
