import { redactUrl } from '../../base/index.ts';
import type { GitRef, GitSource } from '../../graph/index.ts';

/** The source op's data: what was left out or is the default is absent, so that two spellings of one thing have one key. */
export function gitSource(ref: GitRef): GitSource {
  const { remote, subdir, checksum, keepGitDir, submodules, fetchByCommit, mtime } = ref;
  return {
    type: 'git',
    url: remote,
    ref: ref.ref,
    subdir,
    checksum,
    keepGitDir: keepGitDir || undefined,
    submodules: submodules === false ? false : undefined,
    fetchByCommit: fetchByCommit || undefined,
    mtime: mtime === 'checkout' ? mtime : undefined,
  };
}

/** An address as it may be shown: without a password, and without a query that may hold one. */
export function redactedRemote(address: string): string {
  if (!address.includes('://')) return address;
  const hash = address.indexOf('#');
  return redactUrl(address) + (hash < 0 ? '' : address.slice(hash));
}
