import { create, type ServiceImpl } from '../../wire/grpc/index.ts';
import { type Content, InfoResponseSchema, ReadContentResponseSchema } from '../../wire/gen/containerd/content_pb.ts';
import { serveError } from '../errors.ts';
import type { BuildRecordStore } from './history.ts';

const PIECE = 1 << 20;

/** What builds on record name by digest (logs, provenance), as containerd's content service; to be read only. */
export function contentService({
  records,
}: {
  readonly records: BuildRecordStore;
}): Partial<ServiceImpl<typeof Content>> {
  const find = (digest: string): Uint8Array => {
    const content = records.blob(digest);
    if (!content) throw serveError('HISTORY_UNKNOWN', `content ${digest}: not found`);
    return content;
  };
  return {
    info: ({ digest }) => create(InfoResponseSchema, { info: { digest, size: BigInt(find(digest).length) } }),
    async *read({ digest, offset, size }) {
      const content = find(digest);
      const end = size > 0n ? Math.min(content.length, Number(offset + size)) : content.length;
      for (let at = Number(offset); at < end; at += PIECE)
        yield create(ReadContentResponseSchema, {
          offset: BigInt(at),
          data: content.subarray(at, Math.min(end, at + PIECE)),
        });
    },
  };
}
