import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { throwIfCancelled, type Wait } from '../../base/index.ts';
import { Digester, type Descriptor } from '../../blob/index.ts';
import type { ClientSession } from '../../wire/buildkit/index.ts';
import { serveError } from '../errors.ts';
import type { Build } from './build.ts';

/** No larger archive is taken from a client's standard input. */
const LIMIT = 64 * 1024 ** 3;

/** Takes what a client uploads, once for each address, into a file that is there as long as its build. */
export function uploadsOf(
  session: ClientSession,
  { build, folder }: { readonly build: Build; readonly folder: string },
): NonNullable<Build['upload']> {
  const taken = new Map<string, Promise<{ readonly store: string; readonly descriptor: Descriptor }>>();
  const take = async (url: URL, w: Wait): Promise<{ readonly store: string; readonly descriptor: Descriptor }> => {
    const path = join(folder, `upload-${taken.size}`);
    const digester = new Digester('sha256');
    const fd = openSync(path, 'wx', 0o600);
    try {
      for await (const chunk of session.upload(url)) {
        throwIfCancelled(w);
        digester.update(chunk);
        if (digester.size > LIMIT) throw serveError('SOLVE_INVALID', 'take the context: the archive is too large');
        for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
      }
    } finally {
      closeSync(fd);
    }
    const store = `upload:${build.ref}:${taken.size}`;
    build.uploads.set(store, path);
    return { store, descriptor: { mediaType: 'application/x-tar', digest: digester.digest(), size: digester.size } };
  };
  return (url, w) => {
    let taking = taken.get(url.href);
    if (!taking) {
      taking = take(url, w);
      taking.catch(() => undefined);
      taken.set(url.href, taking);
    }
    return taking;
  };
}
