import { hasCode } from '../base/index.ts';
import type { Digest, Platform } from '../blob/index.ts';
import { hostPlatform, parseConfig, type ImageConfig } from '../image/index.ts';
import type { Mount } from '../tree/index.ts';
import { blobsOfImage, findUser, type Ground, type StepUser, type Worker } from '../worker/index.ts';
import type { TransferOptions } from './image-service.ts';
import type { SessionFor } from './image-operations.ts';

/** An image's tree as the root of one container, which may change it; the end of the scope drops what it changed. */
export interface ContainerRoot extends AsyncDisposable {
  /** Absent when the image was removed since: what was kept of it is all there is. */
  readonly imageId?: Digest | undefined;
  readonly config: ImageConfig;
  /** What runs processes in it. */
  readonly ground: Ground;
  readonly mounts: readonly Mount[];
  /** The ids that `user[:group]` means by the image's own files; "" is root. Throws `STEP_USER_UNKNOWN`. */
  user(text: string): Promise<StepUser>;
  /** Keeps what it changed under a name, for a later root, and gives the root up. Nothing may run in it. */
  keep(name: string): Promise<void>;
}

export interface ContainerRootOptions extends TransferOptions {
  /** This machine's by default. */
  readonly platform?: Platform | undefined;
  /** Goes on from what was kept under this name, if that is still there. */
  readonly kept?: string | undefined;
}

/** Makes a root of an image of the local store; layers that were left in their registry are fetched. Throws `IMAGE_NOT_FOUND`. */
export async function openContainerRoot(
  image: string,
  o: { readonly worker: Worker; readonly sessionFor: SessionFor } & ContainerRootOptions,
): Promise<ContainerRoot> {
  const { worker, signal, onProgress } = o;
  await using scope = new AsyncDisposableStack();
  const session = scope.use(o.sessionFor(o.host));
  const record = findImage(image, o);
  if (record) session.spare(...blobsOfImage(record));
  const { config, layers } = record ? await worker.finder.foundOf(record) : { config: undefined, layers: [] };
  const access = worker.access(session, {
    signal,
    onProgress: (item, current, total) =>
      onProgress?.({ item, current, total, done: current >= total ? 'moved' : undefined }),
  });
  const ground = await worker.stage.ground({ signal });
  const before = o.kept === undefined ? undefined : await worker.stage.prepareHeld(o.kept, { signal });
  if (!before && !record) worker.images.resolve(image, {});
  const active = scope.use(before ?? (await worker.stage.prepare(layers, access)));
  const whole = scope.move();
  return {
    imageId: record?.imageId,
    config: config === undefined ? NO_CONFIG : parseConfig(config),
    ground,
    mounts: active.mounts,
    user: (text) => findUser(text, () => worker.layers.viewOf({ kind: 'layers', layers }, access)),
    keep: (name) => worker.stage.hold(active, name),
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
}

const NO_CONFIG: ImageConfig = { architecture: '', os: '', rootfs: { type: 'layers', diff_ids: [] } };

/** The image's record; undefined when there is none, but something is said to be kept of it. */
function findImage(
  image: string,
  o: { readonly worker: Worker } & ContainerRootOptions,
): ReturnType<Worker['images']['resolve']> | undefined {
  try {
    return o.worker.images.resolve(image, { platform: o.platform ?? hostPlatform(process) });
  } catch (error) {
    if (o.kept === undefined || !hasCode(error, 'IMAGE_NOT_FOUND')) throw error;
    return undefined;
  }
}
