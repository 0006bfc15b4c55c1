import { existsSync, mkdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { redactUrl, type HttpClient, type Wait } from '../../base/index.ts';
import { download } from './contexts/download.ts';
import { executorError } from './errors.ts';

export interface DockerfilePlace {
  readonly folder: string;
  readonly name: string;
}

/** The Dockerfile: a URL, else a path of this machine, else one in the context (kaniko's order). Throws `DOCKERFILE_MISSING` and what downloading brings. */
export async function findDockerfile(
  text: string,
  o: { readonly context: string; readonly cwd: string; readonly scratch: string; readonly http: HttpClient } & Wait,
): Promise<DockerfilePlace> {
  if (/^https?:\/\//.test(text)) {
    const folder = join(o.scratch, 'dockerfile');
    mkdirSync(folder);
    const what = `download the Dockerfile "${redactUrl(text)}"`;
    await download(o.http, new URL(text), { path: join(folder, 'Dockerfile'), what, signal: o.signal });
    return { folder, name: 'Dockerfile' };
  }
  for (const path of [resolve(o.cwd, text), join(o.context, text)])
    if (existsSync(path) && statSync(path).isFile()) return { folder: dirname(path), name: basename(path) };
  throw executorError(
    'DOCKERFILE_MISSING',
    `find the Dockerfile "${text}": neither in "${o.cwd}" nor in the context "${o.context}"`,
    { remedy: 'Please provide a valid path to a Dockerfile within the build context with --dockerfile.' },
  );
}
