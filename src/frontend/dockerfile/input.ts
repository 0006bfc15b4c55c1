import { isUtf8 } from 'node:buffer';
import { hasCode, kindOf, type Wait } from '../../base/index.ts';
import { sourceState, type LocalSource, type State } from '../../graph/index.ts';
import { PatternMatcher, readIgnoreFile } from '../../tree/index.ts';
import type { FrontendHost, Ref } from '../index.ts';
import { dockerfileError, located } from './errors.ts';
import type { MainContext } from './main-context.ts';
import { SourceText } from './text.ts';

const DEFAULT_NAME = 'Dockerfile';
const IGNORE_FILE = '.dockerignore';

/** The Dockerfile, and the ignore file that is kept beside it. */
export interface DockerfileInput {
  readonly source: SourceText;
  /** It held bytes that are not UTF-8, each replaced by U+FFFD. */
  readonly lossy: boolean;
  /** Patterns of `<Dockerfile>.dockerignore`, if there is one. */
  readonly ignore: readonly string[] | undefined;
}

/** Reads the Dockerfile from the tree or the local source that holds it. Throws `DOCKERFILE_NOT_FOUND`, `DOCKERFILE_EMPTY` and `DOCKERFILE_NOT_TEXT`. */
export async function readDockerfile(
  host: FrontendHost,
  { dockerfile, dockerfileName, filename }: Pick<MainContext, 'dockerfile' | 'dockerfileName' | 'filename'>,
  w: Wait,
): Promise<DockerfileInput> {
  const folder = filename.slice(0, filename.lastIndexOf('/') + 1);
  const isDefault = filename === folder + DEFAULT_NAME;
  const lower = folder + DEFAULT_NAME.toLowerCase();
  const wanted = [filename, `${filename}${IGNORE_FILE}`, ...(isDefault ? [lower] : [])];
  const state =
    dockerfile ?? localState(dockerfileName, `[internal] load build definition from ${filename}`, { paths: wanted });
  const ref = await host.solve(state, w);
  const found =
    (await readOptional(host, ref, filename, w)) ?? (isDefault ? await readOptional(host, ref, lower, w) : undefined);
  if (found === undefined)
    throw dockerfileError('DOCKERFILE_NOT_FOUND', `read Dockerfile "${filename}": no such file`, {
      remedy: 'Write one, name another with --file, or build in the folder that holds it.',
    });
  if (found.length === 0)
    throw dockerfileError('DOCKERFILE_EMPTY', `read "${filename}": the Dockerfile cannot be empty`, {
      remedy: 'Start it with a FROM instruction.',
    });
  const ignore = await readOptional(host, ref, `${filename}${IGNORE_FILE}`, w);
  return {
    source: new SourceText(filename, new TextDecoder('utf-8', { ignoreBOM: true }).decode(found)),
    lossy: !isUtf8(found),
    ignore: ignore === undefined ? undefined : ignorePatterns(`${filename}${IGNORE_FILE}`, ignore),
  };
}

/** The patterns of the ignore file at the root of a local source; none without one. */
export async function readIgnore(host: FrontendHost, name: string, label: string, w: Wait): Promise<readonly string[]> {
  const ref = await host.solve(localState(name, `${label} load ${IGNORE_FILE}`, { paths: [IGNORE_FILE] }), w);
  const found = await readOptional(host, ref, IGNORE_FILE, w);
  return found === undefined ? [] : ignorePatterns(IGNORE_FILE, found);
}

/** A local source narrowed to `paths` (all of it without them), never with what `exclude` matches. */
export function localState(
  name: string,
  label: string,
  narrow: { readonly paths?: readonly string[] | undefined; readonly exclude?: readonly string[] | undefined },
): State {
  const { paths, exclude } = narrow;
  const source: LocalSource = {
    type: 'local',
    name,
    include: paths?.map((path) => (path.startsWith('!') ? `\\${path}` : path)),
    exclude: exclude === undefined || exclude.length === 0 ? undefined : exclude,
    follow: paths,
  };
  return sourceState(source, { name: label, internal: true });
}

function ignorePatterns(file: string, content: Uint8Array): readonly string[] {
  const text = new TextDecoder().decode(content);
  try {
    const patterns = readIgnoreFile(text);
    // A pattern that cannot be read fails here, with the file's name, and not in the middle of the build.
    void new PatternMatcher(patterns);
    return patterns;
  } catch (error) {
    if (!hasCode(error, 'PATTERN_INVALID')) throw error;
    const line = text.split('\n').findIndex((candidate) => isBad(candidate)) + 1;
    const place = { file, line: Math.max(1, line), text: text.split('\n')[Math.max(0, line - 1)]?.trim() };
    throw located(
      dockerfileError('DOCKERFILE_IGNORE_FILE', `failed parsing ${file}: ${error.message}`, { remedy: error.remedy }),
      place,
    );
  }
}

function isBad(line: string): boolean {
  try {
    void new PatternMatcher(readIgnoreFile(line));
    return false;
  } catch {
    return true;
  }
}

async function readOptional(host: FrontendHost, ref: Ref, path: string, w: Wait): Promise<Uint8Array | undefined> {
  try {
    return await host.read(ref, path, w);
  } catch (error) {
    if (kindOf(error) === 'not_found') return undefined;
    throw error;
  }
}
