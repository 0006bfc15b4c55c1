import type { GitSource } from '../../graph/index.ts';
import type { Wait } from '../../base/index.ts';
import { gitError } from './errors.ts';
import type { Git } from './git-program.ts';
import type { Remote } from './remote.ts';

/** What a reference of a remote is. */
export interface ResolvedRef {
  /** The object that the reference names: a commit, or an annotated tag. */
  readonly object: string;
  /** The commit that an annotated tag leads to, where the remote says so. */
  readonly peeled?: string | undefined;
  /** In full, as the remote has it; absent where only a commit is known. */
  readonly ref?: string | undefined;
  /** The remote was not asked whether `ref` is this. */
  readonly assumed?: boolean | undefined;
}

/** True for a whole commit. */
export function isCommit(text: string | undefined): boolean {
  return text !== undefined && /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text);
}

/**
 * Asks a remote what the reference of a source is; whoever names a commit asks nobody. A branch goes before a tag of that name (as git-checkout has it). Undefined for what may be the beginning of a commit's digest.
 * Throws `GIT_REF_NOT_FOUND`, `GIT_CHECKSUM`, `GIT_SOURCE_INVALID`.
 */
export async function resolveRef(
  source: GitSource,
  remote: Remote,
  o: { readonly git: () => Promise<Git> } & Wait,
): Promise<ResolvedRef | undefined> {
  const { ref, checksum } = source;
  if (checksum !== undefined && !/^[a-fA-F0-9]+$/.test(checksum))
    throw gitError('GIT_SOURCE_INVALID', `invalid checksum ${checksum} for Git URL, expected hex commit hash`, {
      remedy: 'Write the digest of the commit.',
    });
  if (ref?.startsWith('-'))
    throw gitError('GIT_SOURCE_INVALID', `invalid git ref "${ref}"`, { remedy: 'Name a branch, a tag or a commit.' });
  const known = source.commit ?? (isCommit(ref) ? ref : undefined);
  if (known !== undefined) return checked({ object: known, ref: fullRef(ref), assumed: true }, source);
  if (source.fetchByCommit) {
    if (checksum === undefined || !isCommit(checksum.toLowerCase()))
      throw gitError(
        'GIT_SOURCE_INVALID',
        'fetch-by-commit requires a checksum that is a full commit, or a commit as ref',
        {
          remedy: 'Give all of the digits of the commit.',
        },
      );
    return { object: checksum.toLowerCase(), ref: fullRef(ref), assumed: true };
  }
  const git = await o.git();
  const said = await git.run(
    ['ls-remote', '--symref', '--', remote.url, ...(ref === undefined ? ['HEAD'] : [ref, `${ref}^{}`])],
    { network: true, signal: o.signal },
  );
  const found = pickRef(said, ref ?? 'HEAD');
  if (found) return checked(found, source);
  if (ref !== undefined && /^[0-9a-f]{4,63}$/.test(ref)) return undefined;
  throw refNotFound(remote, ref);
}

export function refNotFound(remote: Remote, ref: string | undefined): Error {
  const what = `fetch the repository "${remote.shown}"${ref === undefined ? '' : ` at "${ref}"`}`;
  return gitError(
    'GIT_REF_NOT_FOUND',
    ref === undefined ? `${what}: it has no default branch` : `${what}: repository does not contain ref "${ref}"`,
    { remedy: 'Name a branch, a tag or a commit that is there.' },
  );
}

/** Whether what was found is what the source says it must be. Throws `GIT_CHECKSUM`. */
export function checked(found: ResolvedRef, { checksum }: Pick<GitSource, 'checksum'>): ResolvedRef {
  const digests = [found.object, ...(found.peeled === undefined ? [] : [found.peeled])];
  if (checksum === undefined || digests.some((digest) => digest.startsWith(checksum.toLowerCase()))) return found;
  throw gitError('GIT_CHECKSUM', `expected checksum to match ${checksum}, got ${digests.join(' or ')}`, {
    remedy: 'The reference has moved: see what changed, then write the new commit.',
  });
}

/** A name alone is a branch's. */
function fullRef(ref: string | undefined): string | undefined {
  if (ref === undefined || isCommit(ref)) return undefined;
  return ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
}

/** Reads what `ls-remote --symref` says about a reference. */
export function pickRef(said: string, ref: string): ResolvedRef | undefined {
  const objects = new Map<string, string>();
  let head: string | undefined;
  for (const line of said.split('\n')) {
    const [left = '', name = ''] = line.split('\t');
    if (left.startsWith('ref: ') && name === 'HEAD') head = left.slice(5);
    else if (isCommit(left)) objects.set(name, left);
  }
  if (ref === 'HEAD') {
    const object = objects.get('HEAD');
    return object === undefined ? undefined : { object, ref: head };
  }
  const full = (prefix: string): string => (ref.startsWith(prefix) ? ref : prefix + ref);
  for (const name of [full('refs/'), full('refs/heads/'), full('refs/tags/')]) {
    const object = objects.get(name);
    if (object === undefined) continue;
    const peeled = name.startsWith('refs/tags/') ? objects.get(`${name}^{}`) : undefined;
    return { object, peeled, ref: name };
  }
  return undefined;
}
