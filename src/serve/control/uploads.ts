import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { throwIfCancelled, type Wait } from '../../base/index.ts';
import { archiveTree, extractTree, folderSource } from '../../tree/index.ts';
import type { ClientSession } from '../../wire/buildkit/index.ts';
import { serveError } from '../errors.ts';
import type { Build } from './build.ts';

/** No larger archive is taken from a client's standard input. */
const LIMIT = 64 * 1024 ** 3;

/** Takes the archives that a client uploads, once for each address, as folders in the one that `folder` makes that are there as long as their build; gives the name that their files go by. */
export function uploadsOf(
  session: ClientSession,
  { build, folder: open }: { readonly build: Build; readonly folder: () => string },
): NonNullable<Build['upload']> {
  const taken = new Map<string, Promise<string>>();
  let folder: string | undefined;
  const take = async (url: URL, name: string, w: Wait): Promise<string> => {
    const own = join((folder ??= open()), String(taken.size));
    const [archive, scratch, files] = ['archive', 'scratch', 'files'].map((part) => join(own, part)) as [
      string,
      string,
      string,
    ];
    for (const path of [own, scratch, files]) mkdirSync(path, { mode: 0o700 });
    let size = 0;
    const fd = openSync(archive, 'wx', 0o600);
    try {
      for await (const chunk of session.upload(url)) {
        throwIfCancelled(w);
        size += chunk.length;
        if (size > LIMIT) throw serveError('SOLVE_INVALID', 'take the context: the archive is too large');
        for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
      }
    } finally {
      closeSync(fd);
    }
    const tree = await archiveTree(archive, { scratch, signal: w.signal });
    if (!tree) throw serveError('SOLVE_INVALID', 'take the context: what came is no tar archive');
    await extractTree(tree, files, { signal: w.signal });
    build.uploads.set(name, folderSource(files, { owner: { uid: 0, gid: 0 } }));
    return name;
  };
  return (url, w) => {
    let taking = taken.get(url.href);
    if (!taking) {
      taking = take(url, `upload:${url.pathname}`, w);
      taking.catch(() => undefined);
      taken.set(url.href, taking);
    }
    return taking;
  };
}
