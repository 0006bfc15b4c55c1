import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode, messageOf, type Wait } from '../../base/index.ts';
import type { StepProgress } from '../../solve/index.ts';
import { gitError } from './errors.ts';
import type { Git } from './git-program.ts';
import type { Mirror } from './mirrors.ts';
import type { Remote } from './remote.ts';
import type { ResolvedRef } from './resolve-ref.ts';

interface Fetching extends Wait {
  readonly git: Git;
  readonly mirror: Mirror;
  readonly onProgress?: ((progress: StepProgress) => void) | undefined;
}

/**
 * Brings an object of a remote, without its history, into the mirror; nothing is asked for what is there. A server that gives no object by its digest is asked for the reference, at last for everything; one that knows
 * nothing of shallow repositories gives all of the history.
 */
export async function fetchCommit(remote: Remote, { object, ref, assumed }: ResolvedRef, o: Fetching): Promise<void> {
  if (await hasObject(object, o)) return;
  const kept = `refs/strake/${object}`;
  for (const wanted of ref === undefined || assumed ? [object] : [ref, object]) {
    try {
      await fetch(['--no-tags', '--force', '--', remote.url, `${wanted}:${kept}`], { ...o, depth: true });
    } catch (error) {
      if (
        !hasCode(error, 'GIT_FAILED') ||
        !/not our ref|unadvertised object|couldn't find remote ref|not found|does not allow/i.test(messageOf(error))
      )
        throw error;
      continue;
    }
    // A branch may have moved since it was asked for.
    if (await hasObject(object, o)) return keep(object, kept, o);
  }
  await fetchAll(remote, o);
  if (await hasObject(object, o)) return keep(object, kept, o);
  throw gitError('GIT_REF_NOT_FOUND', `fetch the repository "${remote.shown}": it has no commit ${object}`, {
    remedy: 'Check the commit; one that no branch or tag leads to may be gone.',
  });
}

/** The whole digest of a commit from its beginning: for that everything is fetched. Undefined when there is none, or more than one. */
export async function expandCommit(prefix: string, remote: Remote, o: Fetching): Promise<string | undefined> {
  const known = async (): Promise<string | undefined> => {
    try {
      return (
        await o.git.run(['rev-parse', '--verify', '--quiet', '--end-of-options', `${prefix}^{commit}`], place(o))
      ).trim();
    } catch (error) {
      if (!hasCode(error, 'GIT_FAILED')) throw error;
      return undefined;
    }
  };
  // What the mirror has may be one of several: only all there is tells.
  await fetchAll(remote, o);
  return known();
}

async function hasObject(object: string, o: Fetching): Promise<boolean> {
  try {
    await o.git.run(['cat-file', '-e', `${object}^{tree}`], place(o));
    return true;
  } catch (error) {
    if (!hasCode(error, 'GIT_FAILED')) throw error;
    return false;
  }
}

async function keep(object: string, name: string, o: Fetching): Promise<void> {
  await o.git.run(['update-ref', '--no-deref', name, object], place(o));
}

async function fetchAll(remote: Remote, o: Fetching): Promise<void> {
  const specs = ['+refs/heads/*:refs/strake/heads/*', '+refs/tags/*:refs/strake/tags/*'];
  const deepen = existsSync(join(o.mirror.path, 'shallow')) ? ['--unshallow'] : [];
  await fetch(['--no-tags', '--prune', ...deepen, '--', remote.url, ...specs], { ...o, depth: false });
}

async function fetch(args: readonly string[], o: Fetching & { readonly depth: boolean }): Promise<void> {
  const how = o.onProgress ? '--progress' : '--quiet';
  const speaking = { ...place(o), network: true, onProgress: o.onProgress };
  try {
    await o.git.run(['fetch', how, ...(o.depth ? ['--depth=1'] : []), ...args], speaking);
  } catch (error) {
    if (!o.depth || !hasCode(error, 'GIT_FAILED') || !/--depth|shallow/.test(messageOf(error))) throw error;
    await o.git.run(['fetch', how, ...args], speaking);
  }
}

function place(o: Fetching): { gitDir: string } & Wait {
  return { gitDir: o.mirror.path, signal: o.signal };
}
