import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { hasErrno, systemFailure, throwIfCancelled, type Clock, type Wait } from '../../../base/index.ts';
import type { FileFilter, FileSource, FileTree } from '../../../tree/index.ts';
import type { GrpcConnection } from '../../grpc/index.ts';
import { sessionError } from './errors.ts';
import type { KeptFile } from './kept-index.ts';
import type { KeptFiles, Stay } from './kept-files.ts';
import { encodeHeaders } from './metadata.ts';
import { receiveFiles, statText, type Place } from './receive-files.ts';
import { ReceivedTree } from './received-tree.ts';
import type { Stat } from './stat.ts';

export const DIFF_COPY = '/moby.filesync.v1.FileSync/DiffCopy';

/** A folder of a client's (moby.filesync.v1.FileSync): its stats each time anew, contents only where they are not kept from another time. */
export function remoteFiles(
  name: string,
  o: {
    readonly connection: GrpcConnection;
    readonly kept: KeptFiles;
    readonly stay: () => Stay;
    /** Under which files are kept: the client's own, so that no client is given what another one has sent. Empty: none are. */
    readonly sharedKey: string;
    readonly clock: Clock;
  },
): FileSource {
  const key = JSON.stringify([o.sharedKey, name]);
  const keeps = o.sharedKey !== '';
  return {
    async tree(filter: FileFilter, w: Wait = {}): Promise<FileTree> {
      throwIfCancelled(w);
      const { files, sameBoot } = keeps ? o.kept.read(key) : NOTHING;
      const stay = o.stay();
      const seen = Math.floor(o.clock.now() / 1000);
      const good = sameBoot ? undefined : await goodFiles(files, (file) => stay.borrow(key, file.pack, end(file)), w);
      const known = (stat: Stat): (Place & { keep: KeptFile }) | undefined => {
        const file = files.get(stat.path);
        if (!file || file.stat !== statText(stat) || good?.has(stat.path) === false) return undefined;
        const path = stay.borrow(key, file.pack, end(file));
        if (path === undefined) return undefined;
        return { path, offset: file.offset, size: file.size, digest: file.digest, keep: { ...file, seen } };
      };
      const call = o.connection.raw(DIFF_COPY, {
        headers: encodeHeaders({
          'dir-name': [name],
          'include-patterns': filter.include ?? [],
          'exclude-patterns': filter.exclude ?? [],
          followpaths: filter.follow ?? [],
        }),
      });
      try {
        const received = await receiveFiles(call, { name, known, stay, clock: o.clock, signal: w.signal });
        if (!keeps) return new ReceivedTree(received);
        if (received.packs.length > 0 || !sameBoot) o.kept.keep(key, received.keep, received.packs);
        else o.kept.touch(key);
        return new ReceivedTree(received);
      } catch (error) {
        const failure = systemFailure(error);
        if (!failure) throw error;
        const full = hasErrno(error, 'ENOSPC', 'EDQUOT', 'EFBIG');
        throw sessionError(full ? 'SESSION_LIMIT' : 'SESSION_FILES', `receive files "${name}": ${failure.words}`, {
          cause: error,
          remedy: full
            ? 'Make room in the store, or leave out what the build does not need, by .dockerignore.'
            : undefined,
        });
      }
    },
  };
}

const NOTHING = { files: new Map<string, KeptFile>(), sameBoot: true };

function end(file: KeptFile): number {
  return file.offset + file.size;
}

/** Those whose content is still what it was: after another boot a pack may have lost what was not synced. */
async function goodFiles(
  files: ReadonlyMap<string, KeptFile>,
  borrow: (file: KeptFile) => string | undefined,
  w: Wait,
): Promise<ReadonlySet<string>> {
  const good = new Set<string>();
  const buffer = Buffer.allocUnsafe(1 << 20);
  let open: { readonly path: string; readonly fd: number } | undefined;
  let since = 0;
  try {
    for (const [path, file] of files) {
      const pack = borrow(file);
      if (pack === undefined) continue;
      if (open?.path !== pack) {
        if (open) closeSync(open.fd);
        open = undefined;
        open = { path: pack, fd: openSync(pack, 'r') };
      }
      const digester = createHash('sha256');
      for (let at = 0; at < file.size;) {
        const n = readSync(open.fd, buffer, 0, Math.min(buffer.length, file.size - at), file.offset + at);
        if (n === 0) break;
        digester.update(buffer.subarray(0, n));
        at += n;
        since += n;
        if (since < 64 << 20) continue;
        since = 0;
        await nextTurn();
        throwIfCancelled(w);
      }
      if (`sha256:${digester.digest('hex')}` === file.digest) good.add(path);
    }
  } finally {
    if (open) closeSync(open.fd);
  }
  return good;
}
