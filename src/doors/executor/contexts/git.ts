import { findTool, kindOf, messageOf, runTool, type Wait } from '../../../base/index.ts';
import { executorError } from '../errors.ts';
import type { GitOptions } from '../options.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * `host/repository[#reference[#commit]]`, cloned as kaniko does (pkg/buildcontext/git.go): GIT_PULL_METHOD https or http, GIT_TOKEN or GIT_USERNAME and GIT_PASSWORD, `.git` kept. The login travels in git's environment, never on a
 * command line. Throws `CONTEXT_FETCH_FAILED`.
 */
export async function fetchGit(
  place: string,
  o: { readonly folder: string; readonly env: Env; readonly git: GitOptions } & Wait,
): Promise<void> {
  const [address = '', reference = '', commit = ''] = place.split('#');
  const method = o.env['GIT_PULL_METHOD'] === 'http' ? 'http' : 'https';
  const url = `${method}://${address}`;
  const shown = url.replace(/\/\/[^@/]*@/, '//');
  const what = `clone "${shown}"${reference === '' ? '' : ` at "${reference}"`}`;
  if (findTool('git', o.env['PATH']) === undefined)
    throw executorError('CONTEXT_FETCH_FAILED', `${what}: git is not installed`, {
      remedy: 'Use an image that has git, or give the context as an archive.',
    });
  for (const word of [address, reference, commit, o.git.branch])
    if (word.startsWith('-')) throw executorError('CONTEXT_INVALID', `${what}: a name cannot begin with "-"`);
  const git = async (...args: string[]): Promise<void> => {
    await runTool('git', args, { env: environment(url, o), signal: o.signal });
  };
  const inside = ['-C', o.folder];
  try {
    const plan = planOf(address, reference, o.git.branch);
    await git(
      'clone',
      '-q',
      '--template=',
      ...(o.git.depth > 0 ? [`--depth=${o.git.depth}`, ...(o.git.singleBranch ? [] : ['--no-single-branch'])] : []),
      ...(o.git.singleBranch ? ['--single-branch'] : []),
      ...(plan.branch === undefined ? [] : [`--branch=${plan.branch}`]),
      ...(o.git.recurseSubmodules ? ['--recurse-submodules'] : []),
      '--',
      url,
      o.folder,
    );
    if (plan.fetch !== undefined) {
      await git(...inside, 'fetch', '-q', 'origin', plan.fetch).catch((error: unknown) => {
        // The clone may have the commit, also where the server gives none by its digest.
        if (!/^[0-9a-f]{40}$/.test(plan.fetch ?? '') || kindOf(error) === 'cancelled') throw error;
      });
      await git(...inside, 'checkout', '-q', '--detach', /^[0-9a-f]{40}$/.test(plan.fetch) ? plan.fetch : 'FETCH_HEAD');
    }
    if (commit !== '') await git(...inside, 'checkout', '-q', '--detach', commit);
    if (o.git.recurseSubmodules && (plan.fetch !== undefined || commit !== ''))
      await git(...inside, 'submodule', 'update', '-q', '--init', '--recursive');
  } catch (error) {
    if (kindOf(error) === 'cancelled') throw error;
    const detail = messageOf(error)
      .replace(/^run "git": (exit code \d+: )?/, '')
      .replaceAll(url, shown);
    throw executorError('CONTEXT_FETCH_FAILED', `${what}: ${detail}`, {
      cause: error,
      remedy: 'Check the address, the reference, and GIT_TOKEN or GIT_USERNAME and GIT_PASSWORD.',
    });
  }
}

/** A branch or tag is cloned; what is no branch is fetched after HEAD was. */
function planOf(
  address: string,
  reference: string,
  branch: string,
): { readonly branch?: string | undefined; readonly fetch?: string | undefined } {
  if (branch !== '') return { branch };
  if (reference === '') return {};
  if (/^[0-9a-f]{40}$/.test(reference)) return { fetch: reference };
  if (reference.startsWith('refs/heads/')) return { branch: reference.slice('refs/heads/'.length) };
  if (reference.startsWith('refs/tags/') && !address.startsWith('-'))
    return { branch: reference.slice('refs/tags/'.length) };
  return reference.startsWith('refs/') ? { fetch: reference } : { branch: reference };
}

function environment(url: string, o: { readonly env: Env; readonly git: GitOptions }): Record<string, string> {
  const { env } = o;
  const settings: [string, string][] = [['advice.detachedHead', 'false']];
  const token = env['GIT_TOKEN'];
  const user = token || env['GIT_USERNAME'] || '';
  const password = token ? '' : (env['GIT_PASSWORD'] ?? '');
  if (user !== '' || password !== '') {
    const { origin } = new URL(url);
    const login = Buffer.from(`${user}:${password}`).toString('base64');
    settings.push([`http.${origin}/.extraHeader`, `Authorization: Basic ${login}`]);
  }
  if (o.git.insecureSkipTls) settings.push(['http.sslVerify', 'false']);
  return {
    ...Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => entry[1] !== undefined)),
    GIT_TERMINAL_PROMPT: '0',
    LC_ALL: 'C',
    GIT_CONFIG_COUNT: String(settings.length),
    ...Object.fromEntries(
      settings.flatMap(([key, value], i) => [
        [`GIT_CONFIG_KEY_${i}`, key],
        [`GIT_CONFIG_VALUE_${i}`, value],
      ]),
    ),
  };
}
