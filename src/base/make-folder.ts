import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { hasErrno } from './error.ts';

/** Makes a folder and what leads to it, if need be. Node's own `recursive` never comes back from a path that cannot be made below a file system such as /proc. Throws system errors. */
export function makeFolder(path: string, mode = 0o777): void {
  const missing: string[] = [];
  for (let at = path; statSync(at, { throwIfNoEntry: false }) === undefined; at = dirname(at)) {
    missing.push(at);
    if (dirname(at) === at) break;
  }
  for (const folder of missing.toReversed())
    try {
      mkdirSync(folder, mode);
    } catch (error) {
      // Another process may have made it meanwhile.
      if (!hasErrno(error, 'EEXIST')) throw error;
    }
}
