import { collect, kindOf, messageOf, type Wait } from '../base/index.ts';
import type { Digest, Platform } from '../blob/index.ts';
import {
  canonicalReference,
  configOf,
  descriptorOf,
  formatPlatform,
  imageId,
  indexManifestOf,
  isAttestation,
  makeIndex,
  parseConfig,
  parseImageManifest,
  parseReference,
  platformOf,
  type BuiltLayer,
  type Image,
  type ImageConfig,
  type ImageRecord,
  type Index,
} from '../image/index.ts';
import type { RegistryClient } from '../registry/index.ts';
import type { Frontend } from '../frontend/index.ts';
import type { PlannedRunImage } from '../frontend/buildpack/index.ts';
import { GZIP } from '../tree/index.ts';
import { blobsOfImage, type Session, type Worker } from '../worker/index.ts';
import type { RebaseOptions, RebaseResult } from './image-service.ts';
import { engineError } from './errors.ts';
import type { SolvePlan } from './image-operations.ts';
import { pushProgress } from './push-progress.ts';

interface Context extends RebaseOptions {
  readonly worker: Worker;
  readonly session: Session;
  readonly solve: SolvePlan;
}

/** A run image that was found. */
interface Base<T> {
  readonly found: T;
  readonly config: ImageConfig;
  /** What the label calls it. */
  readonly reference: string;
  readonly warning?: string | undefined;
}

/** Loaded when somebody rebases. */
const buildpacks = () => import('../frontend/buildpack/index.ts');

/** An app image of the store on another run image, under a name of the store. Layers that are elsewhere stay there. */
export async function rebaseInStore(target: string, c: Context): Promise<RebaseResult> {
  const { rebaseConfig } = await buildpacks();
  const { images, store } = c.worker;
  const name = tagOf(target);
  const source = c.previous ?? target;
  const records: ImageRecord[] = [];
  const tried = new Runs(c, { source, registry: parseReference(target).registry });
  for (const record of images.resolveAll(source)) {
    const config = parseConfig(await collect(await store.open(record.config)));
    const app = { name: source, config };
    const base = await tried.first(app, (candidate) => findBase(candidate, { ...c, platform: platformOf(config) }));
    const rebased = rebaseConfig(app, base, c);
    tried.warn(rebased.warnings);
    const above = record.layers
      .slice(rebased.replaced)
      .map(({ diffId, compressed, source }) => ({ diffId, compressed, source: source?.reference }));
    const id = await images.add({
      config: rebased.config,
      layers: [...base.found, ...above],
      names: [],
      annotations: await annotationsOf(record, c),
      signal: c.signal,
    });
    records.push(images.resolve(id));
  }
  images.put([name], records);
  return { imageId: records[0]?.imageId, runImage: tried.used, warnings: tried.warnings };
}

/** The same in registries alone: layers that are in the target's registry are mounted, others copied; none comes to this machine's disk. */
export async function rebaseInRegistry(target: string, c: Context): Promise<RebaseResult> {
  const { rebaseImage } = await buildpacks();
  const { signal } = c;
  const client = c.worker.registry(c.session);
  const reference = parseReference(target);
  tagOf(target);
  const source = c.previous ?? target;
  const tried = new Runs(c, { source, registry: reference.registry });
  const rebased = async (image: Image): Promise<Image> => {
    const config = await configOf(image, { signal });
    const platform = platformOf(config);
    const base = await tried.first({ name: source, config }, (candidate) =>
      openBase(candidate, { ...c, client, platform }),
    );
    const made = await rebaseImage({ name: source, image }, { ...base, image: base.found }, { force: c.force, signal });
    tried.warn(made.warnings);
    return made.image;
  };
  const value = await client.image(parseReference(source), { signal });
  const result = value.kind === 'image' ? await rebased(value) : await rebasedIndex(value, { rebased, source, signal });
  const { digest, size, mediaType } = await client.push(result, reference, { signal, progress: pushProgress(c) });
  return {
    imageId: result.kind === 'image' ? await imageId(result, { signal }) : undefined,
    manifest: { digest, size, mediaType },
    runImage: tried.used,
    warnings: tried.warnings,
  };
}

/** Which run images an app may be put on, and what was said about them. */
class Runs {
  readonly warnings: string[] = [];
  used = '';
  readonly #o: { readonly source: string; readonly registry: string };
  readonly #wanted: string | undefined;

  constructor(c: Pick<Context, 'runImage'>, o: { source: string; registry: string }) {
    this.#wanted = c.runImage;
    this.#o = o;
  }

  warn(warnings: readonly string[]): void {
    for (const one of warnings) if (!this.warnings.includes(one)) this.warnings.push(one);
  }

  /** The first run image that can be had: the one asked for, else those that the app's label names, the nearest first. */
  async first<T>(
    app: Parameters<Awaited<ReturnType<typeof buildpacks>>['appMetadata']>[0],
    open: (name: string) => Promise<Base<T>>,
  ): Promise<Base<T> & { readonly name: string }> {
    const { appMetadata, nearestFirst, runImageNames } = await buildpacks();
    const known = this.#wanted === undefined ? runImageNames(appMetadata(app)) : [this.#wanted];
    const failures: unknown[] = [];
    for (const name of nearestFirst(known, this.#o.registry))
      try {
        const base = await open(name);
        if (base.warning !== undefined) this.warn([base.warning]);
        this.used = name;
        return { ...base, name };
      } catch (error) {
        if (kindOf(error) === 'cancelled' || known.length === 1) throw error;
        failures.push(error);
      }
    if (known.length === 0)
      throw engineError('REBASE_NO_RUN_IMAGE', `rebase "${this.#o.source}": its label names no run image`, {
        remedy: 'Name one with --run-image.',
      });
    throw engineError(
      'REBASE_NO_RUN_IMAGE',
      `rebase "${this.#o.source}": failed to find accessible run image: ${failures.map(messageOf).join('; ')}`,
      { remedy: 'Name one that can be had with --run-image.', cause: failures[0] },
    );
  }
}

/** A run image by the policy for pulling; where its registry cannot be asked, or has none, the store's. One of packages is made. */
async function findBase(
  name: string,
  c: Context & { readonly platform: Platform },
): Promise<Base<readonly BuiltLayer[]>> {
  const { digestReference, isPackages } = await buildpacks();
  const { worker, session, platform, signal } = c;
  if (isPackages(name)) {
    const { record, ...base } = await makeBase(name, c);
    return { ...base, found: record.layers.map(({ source, ...layer }) => ({ ...layer, source: source?.reference })) };
  }
  const source = { type: 'image', reference: canonicalReference(parseReference(name)), platform } as const;
  const find = async (pull: 'always' | 'missing' | 'never'): Promise<Base<readonly BuiltLayer[]>> => {
    const found = await worker.finder.find(
      { ...source, pull },
      { session, registry: () => worker.registry(session), signal },
    );
    const reference = digestReference(name, parseReference(found.pinned).digest ?? '');
    return { found: found.layers, config: parseConfig(found.config), reference };
  };
  const pull = c.pull ?? 'always';
  try {
    return await find(pull);
  } catch (error) {
    const gone = kindOf(error) === 'not_found' || kindOf(error) === 'unavailable';
    if (pull !== 'always' || !gone || !worker.images.find(source.reference, { platform })) throw error;
    return { ...(await find('never')), warning: `"${name}" of the local store is used: ${messageOf(error)}` };
  }
}

async function openBase(
  name: string,
  c: Context & { readonly client: RegistryClient; readonly platform: Platform },
): Promise<Base<Image>> {
  const { digestReference, isPackages } = await buildpacks();
  const { client, platform, signal } = c;
  if (isPackages(name)) {
    const { record, ...base } = await makeBase(name, c);
    return { ...base, found: c.worker.imagesFor(c.session).open(record, { codec: GZIP }) };
  }
  const found = await client.image(parseReference(name), { platform, signal });
  const { digest } = await descriptorOf(found, { signal });
  return { found, config: await configOf(found, { signal }), reference: digestReference(name, digest) };
}

/** A run image of packages, made as a build of an app makes it. The store keeps it, without a name, until it is pruned. */
async function makeBase(
  name: string,
  c: Context & { readonly platform: Platform },
): Promise<Omit<Base<never>, 'found'> & { readonly record: ImageRecord }> {
  const { planRunImage } = await buildpacks();
  const { platform, signal, host } = c;
  let planned: PlannedRunImage | undefined;
  const frontend: Frontend = async (_, at, w) => {
    planned = await planRunImage(at, name, { platform, ...w });
    return { results: new Map([[formatPlatform(platform), planned.image]]), metadata: new Map() };
  };
  let id: Digest | undefined;
  const request = {
    frontend: 'run-image',
    options: {},
    platforms: [platform],
    exports: [{ type: 'store', names: [] }],
    allow: [],
    annotations: [],
  } as const;
  for await (const event of c.solve(frontend, request, { host, signal }))
    if (event.kind === 'result') id = event.result.images[0]?.imageId;
  if (id === undefined || planned === undefined) throw new TypeError(`make run image "${name}": it came to nothing`);
  const record = c.worker.images.resolve(id);
  c.session.spare(...blobsOfImage(record));
  const diffIds = record.layers.map(({ diffId }) => diffId);
  const config = { ...planned.config, rootfs: { type: 'layers' as const, diff_ids: diffIds } };
  return { record, config, reference: `${name}@${planned.digest}` };
}

/** Every image of an index; what is said of them is left behind, as it is about others. */
async function rebasedIndex(
  index: Index,
  o: { rebased: (image: Image) => Promise<Image>; source: string } & Wait,
): Promise<Index> {
  const manifest = await indexManifestOf(index, o);
  const members: { image: Image; platform: Platform | undefined }[] = [];
  for (const descriptor of manifest.manifests) {
    if (isAttestation(descriptor)) continue;
    const member = await index.member(descriptor, o);
    if (member.kind === 'index')
      throw engineError('REBASE_NESTED', `rebase "${o.source}": it is an index of indexes`, {
        remedy: 'Rebase the images that it names one by one.',
      });
    const image = await o.rebased(member);
    members.push({ image, platform: platformOf(await configOf(image, o)) });
  }
  return makeIndex(members, { mediaTypes: manifest.mediaType.includes('docker') ? 'docker' : 'oci' });
}

async function annotationsOf(record: ImageRecord, c: Context): Promise<Readonly<Record<string, string>> | undefined> {
  if (!record.manifest) return record.annotations;
  return parseImageManifest(await collect(await c.worker.store.open(record.manifest))).annotations;
}

function tagOf(target: string): string {
  const reference = parseReference(target);
  if (reference.digest === undefined) return canonicalReference(reference);
  throw engineError('REBASE_NO_TAG', `rebase "${target}": a digest cannot be given to another image`, {
    remedy: `Name the result by a tag, and give "${target}" as --previous-image.`,
  });
}
