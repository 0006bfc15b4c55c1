import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, posix, resolve } from 'node:path';
import { tempFolder } from '../../../base/index.ts';
import {
  bakeError,
  DEFAULT_FILES,
  isRemote,
  type BakeFile,
  type Resolved,
  type Secret,
  type Target,
} from '../../../bake/index.ts';
import { parseGitRef } from '../../../graph/index.ts';
import { folderSource } from '../../../tree/index.ts';
import { localHost } from '../local-host.ts';
import { agentOf } from '../parse/secret.ts';
import type { CliContext } from '../command.ts';
import { engineFor, lazyCredentials } from '../settings.ts';

/** What a definition may weigh. */
const MAX_SIZE = 2 << 20;

/**
 * The bake files of a repository or an archive of the web, as a build would fetch it: it is a context like any other. `names` are paths in it; without any the usual ones. Throws `BAKE_NO_FILE` and what fetching throws.
 */
export async function remoteFiles(url: string, names: readonly string[], c: CliContext): Promise<readonly BakeFile[]> {
  const { io, settings, signal } = c;
  const scratch = join(settings.root, 'tmp');
  mkdirSync(scratch, { recursive: true });
  using temp = tempFolder(scratch, io.random);
  const [own, fetched] = [join(temp.path, 'own'), join(temp.path, 'fetched')];
  mkdirSync(own, { recursive: true });
  writeFileSync(join(own, 'Dockerfile'), 'FROM scratch\nCOPY . /\n');
  const ssh = io.env['BUILDX_BAKE_GIT_SSH'] || io.env['SSH_AUTH_SOCK'];
  const agents = ssh ? [agentOf(io.env['BUILDX_BAKE_GIT_SSH'] ? `default=${ssh}` : 'default', io)] : [];
  const host = localHost({
    files: new Map([['dockerfile', folderSource(own, { owner: { uid: 0, gid: 0 } })]]),
    secrets: new Map(gitSecrets(url, io.env).map(({ id, env }) => [id, { env }] as const)),
    agents: new Map(agents.map(({ id, source }) => [id, source] as const)),
    sinks: new Map([['definition', { kind: 'folder', path: fetched }]]),
    credentials: lazyCredentials(io),
    env: io.env,
    random: io.random,
  });
  await using engine = await engineFor(settings);
  const request = {
    frontend: 'dockerfile',
    options: { context: url, dockerfilekey: 'dockerfile', filename: 'Dockerfile' },
    platforms: [],
    exports: [{ type: 'local', sink: 'definition' }],
    allow: [],
    annotations: [],
  } as const;
  for await (const event of engine.build(request, host, { signal })) void event;
  return filesIn(fetched, url, names);
}

function filesIn(folder: string, url: string, names: readonly string[]): readonly BakeFile[] {
  const there = readdirSync(folder);
  // The address of one file is that file.
  if (there.length === 1 && there[0] === 'context' && parseGitRef(url) === undefined)
    return [
      { name: posix.basename(new URL(url).pathname) || 'docker-bake.hcl', text: textOf(join(folder, 'context'), url) },
    ];
  const wanted = names.length > 0 ? names : DEFAULT_FILES.filter((name) => existsSync(join(folder, name)));
  return wanted.map((name) => {
    const path = resolve(folder, `.${posix.resolve('/', name)}`);
    if (!existsSync(path))
      throw bakeError('BAKE_NO_FILE', `read bake file "${name}" of "${url}": it is not there`, {
        remedy: 'Name a file of the repository with -f, or one of this machine as -f cwd://NAME.',
      });
    return { name, text: textOf(path, name) };
  });
}

function textOf(path: string, name: string): string {
  const content = readFileSync(path);
  if (content.length > MAX_SIZE)
    throw bakeError('BAKE_INVALID', `read bake file "${name}": it is larger than ${MAX_SIZE >> 20} MiB`);
  return content.toString();
}

/** Targets of a definition from elsewhere: their folders are in the same place (buildx, updateContext); `cwd://` is this machine. */
export function inRemote(resolved: Resolved, url: string): Resolved {
  const targets = [...resolved.targets].map(([name, target]) => {
    const contexts = [...(target.contexts ?? [])].map(([key, value]) => [key, placed(value, url)] as const);
    const moved: Target = {
      ...target,
      context: placed(target.context ?? '.', url),
      contexts: contexts.length > 0 ? new Map(contexts) : undefined,
    };
    return [name, moved] as const;
  });
  return { groups: resolved.groups, targets: new Map(targets) };
}

function placed(path: string, url: string): string {
  if (path.startsWith('cwd://')) return path.slice('cwd://'.length) || '.';
  if (isRemote(path) || /^(?:target|docker-image|oci-layout):/.test(path)) return path;
  const folder = posix.normalize(path).replace(/(?<=.)\/$/, '');
  if (folder === '.' || parseGitRef(url) === undefined) return url;
  const [base = '', fragment = ''] = url.split(/#([^]*)/);
  const [ref = '', below] = fragment.split(/:([^]*)/);
  return `${base}#${ref}:${below ? posix.join(below, folder) : folder}`;
}

/** Logins for a repository's host that the environment gives, as buildx takes them. */
export function gitSecrets(url: string, env: Readonly<Record<string, string | undefined>>): readonly Secret[] {
  const [, host] = /^https?:\/\/(?:[^@/]*@)?([^/?#]+)/.exec(url) ?? [];
  if (host === undefined) return [];
  return (['GIT_AUTH_TOKEN', 'GIT_AUTH_HEADER'] as const).flatMap((name) => {
    const variable = `BUILDX_BAKE_${name}`;
    return env[variable] ? [{ id: `${name}.${host}`, src: '', env: variable }] : [];
  });
}
