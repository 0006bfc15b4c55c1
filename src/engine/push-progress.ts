import type { Transfer } from '../registry/index.ts';
import type { TransferOptions } from './image-service.ts';

/** What a registry client tells of a push, as engines tell of moving images. */
export function pushProgress({ onProgress }: Pick<TransferOptions, 'onProgress'>): (transfer: Transfer) => void {
  return ({ descriptor, bytes, state }) =>
    onProgress?.({
      item: descriptor.digest,
      current: bytes,
      total: descriptor.size,
      done: state === 'running' ? undefined : state === 'done' ? 'moved' : state,
    });
}
