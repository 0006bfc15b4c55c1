import type { Digest, Platform } from '../blob/index.ts';
import { hostPlatform, parseConfig, type ImageConfig } from '../image/index.ts';
import type { Mount } from '../tree/index.ts';
import { blobsOfImage, findUser, type Ground, type StepUser, type Worker } from '../worker/index.ts';
import type { TransferOptions } from './engine.ts';
import type { SessionFor } from './image-operations.ts';

/** An image's tree as the root of one container, which may change it; the end of the scope drops what it changed. */
export interface ContainerRoot extends AsyncDisposable {
  readonly imageId: Digest;
  readonly config: ImageConfig;
  /** What runs processes in it. */
  readonly ground: Ground;
  readonly mounts: readonly Mount[];
  /** The ids that `user[:group]` means by the image's own files; "" is root. Throws `STEP_USER_UNKNOWN`. */
  user(text: string): Promise<StepUser>;
}

export interface ContainerRootOptions extends TransferOptions {
  /** This machine's by default. */
  readonly platform?: Platform | undefined;
}

/** Makes a root of an image of the local store; layers that were left in their registry are fetched. Throws `IMAGE_NOT_FOUND`. */
export async function openContainerRoot(
  image: string,
  o: { readonly worker: Worker; readonly sessionFor: SessionFor } & ContainerRootOptions,
): Promise<ContainerRoot> {
  const { worker, signal, onProgress } = o;
  await using scope = new AsyncDisposableStack();
  const session = scope.use(o.sessionFor(o.host));
  const record = worker.images.resolve(image, { platform: o.platform ?? hostPlatform(process) });
  session.spare(...blobsOfImage(record));
  const { config, layers } = await worker.finder.foundOf(record);
  const access = worker.access(session, {
    signal,
    onProgress: (item, current, total) =>
      onProgress?.({ item, current, total, done: current >= total ? 'moved' : undefined }),
  });
  const ground = await worker.stage.ground({ signal });
  const active = scope.use(await worker.stage.prepare(layers, access));
  const whole = scope.move();
  return {
    imageId: record.imageId,
    config: parseConfig(config),
    ground,
    mounts: active.mounts,
    user: (text) => findUser(text, () => worker.layers.viewOf({ kind: 'layers', layers }, access)),
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
}
