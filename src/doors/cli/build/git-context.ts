import { realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { findTool, kindOf, messageOf, redactUrl, runTool, type Wait } from '../../../base/index.ts';
import { cliError } from '../errors.ts';
import type { GitPlace } from './git-url.ts';

/** Fetches a repository's files at a reference into a folder (made), submodules too; gives the folder asked for. Throws `CONTEXT_FETCH_FAILED` and `CONTEXT_NOT_FOUND`. */
export async function fetchGit(
  place: GitPlace,
  o: {
    readonly folder: string;
    readonly keepGitDir: boolean;
    readonly env: Readonly<Record<string, string | undefined>>;
  } & Wait,
): Promise<string> {
  const shown = place.remote.includes('://') ? redactUrl(place.remote) : place.remote;
  const what = `fetch the repository "${shown}"${place.ref === undefined ? '' : ` at "${place.ref}"`}`;
  if (findTool('git') === undefined)
    throw cliError('CONTEXT_FETCH_FAILED', `${what}: git is not installed`, {
      remedy: 'Install it: apt-get install git.',
    });
  const env = { ...definedOf(o.env), GIT_TERMINAL_PROMPT: '0', LC_ALL: 'C' };
  const git = async (...args: string[]): Promise<void> => {
    await runTool('git', ['-c', 'protocol.file.allow=always', '-c', 'advice.detachedHead=false', ...args], {
      env,
      signal: o.signal,
    });
  };
  const inside = ['-C', o.folder];
  try {
    await git('init', '-q', '--template=', o.folder);
    await git(...inside, 'remote', 'add', 'origin', place.remote);
    try {
      await git(...inside, 'fetch', '-q', '--depth=1', '--no-tags', 'origin', place.ref ?? 'HEAD');
      await git(...inside, 'checkout', '-q', '--detach', 'FETCH_HEAD');
    } catch (error) {
      // Not every server gives a commit by its digest alone, and an abbreviated one must be looked for.
      if (kindOf(error) === 'cancelled' || !/^[0-9a-f]{4,64}$/.test(place.ref ?? '')) throw error;
      await git(...inside, 'fetch', '-q', '--tags', 'origin', '+refs/heads/*:refs/remotes/origin/*');
      await git(...inside, 'checkout', '-q', '--detach', place.ref ?? '');
    }
    await git(...inside, 'submodule', 'update', '-q', '--init', '--recursive', '--depth=1');
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    const detail = messageOf(error)
      .replace(/^run "git": (exit code \d+: )?/, '')
      .replaceAll(place.remote, shown);
    throw cliError('CONTEXT_FETCH_FAILED', `${what}: ${detail}`, {
      cause: error,
      remedy: 'Check the address, the reference and your rights; strake asks for no password.',
    });
  }
  if (!o.keepGitDir) rmSync(join(o.folder, '.git'), { recursive: true, force: true });
  return subfolder(place, o.folder, what);
}

function subfolder(place: GitPlace, folder: string, what: string): string {
  if (place.subdir === undefined) return folder;
  const path = join(folder, place.subdir);
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isDirectory()) throw cliError('CONTEXT_NOT_FOUND', `${what}: it has no folder "${place.subdir}"`);
  if (!`${realpathSync(path)}/`.startsWith(`${realpathSync(folder)}/`))
    throw cliError('CONTEXT_INVALID', `${what}: its folder "${place.subdir}" leads out of it`);
  return path;
}

function definedOf(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined));
}
