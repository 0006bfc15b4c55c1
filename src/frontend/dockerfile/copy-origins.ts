import { isDigest, type Digest } from '../../blob/index.ts';
import { parseGitRef, type GitRef, type GitSource, type HttpSource } from '../../graph/index.ts';
import { dockerfileError } from './errors.ts';
import { gitSource } from './git-source.ts';
import { quote } from './go-text.ts';
import type { AddInstruction, CopyInstruction } from './instruction.ts';

/** Where a source's files come from. */
export type Origin =
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'remote'; readonly source: GitSource | HttpSource; readonly unpack: boolean };

/** Tells paths from addresses. Throws `DOCKERFILE_INSTRUCTION` without a place. */
export function originsOf(
  sources: readonly string[],
  checksum: string,
  instruction: CopyInstruction | AddInstruction,
): readonly Origin[] {
  if (checksum !== '' && sources.length !== 1)
    throw wrong("checksum can't be specified for multiple sources", 'Write one ADD for each source.');
  return sources.map((path) => {
    const git = parseGitRef(path);
    const remote = git !== undefined && git.likePath !== true ? 'git' : /^https?:\/\//.test(path) ? 'http' : undefined;
    if (remote === undefined) {
      if (checksum !== '')
        throw wrong('checksum requires HTTP(S) or Git sources', 'Leave --checksum out for files of the build context.');
      return { kind: 'path', path };
    }
    if (instruction.kind === 'copy')
      throw wrong(
        remote === 'git' ? "source can't be a git ref for COPY" : "source can't be a URL for COPY",
        'Use ADD for remote sources.',
      );
    if (git !== undefined && remote === 'git')
      return { kind: 'remote', source: gitOf(git, checksum, instruction), unpack: false };
    const source: HttpSource = {
      type: 'http',
      url: path,
      filename: fileName(path),
      checksum: checksum === '' ? undefined : digestOfChecksum(checksum),
    };
    return { kind: 'remote', source, unpack: instruction.unpack ?? false };
  });
}

function gitOf(git: GitRef, checksum: string, { keepGitDir }: AddInstruction): GitSource {
  if (keepGitDir !== undefined && git.keepGitDir !== undefined && keepGitDir !== git.keepGitDir)
    throw wrong('inconsistent keep-git-dir configuration', 'Say it once: by the flag or in the address.');
  if (checksum !== '' && git.checksum !== undefined && checksum !== git.checksum)
    throw wrong(`checksum mismatch ${quote(checksum)} != ${quote(git.checksum)}`, 'Say it once.');
  return gitSource({
    ...git,
    keepGitDir: git.keepGitDir ?? keepGitDir,
    checksum: git.checksum ?? (checksum === '' ? undefined : checksum),
  });
}

function digestOfChecksum(text: string): Digest {
  if (isDigest(text)) return text;
  throw wrong(`invalid checksum digest format: ${quote(text)}`, 'Write --checksum=sha256: and 64 hexadecimal digits.');
}

/** The last part of the address's path, as it is once decoded. */
function fileName(url: string): string {
  const path = /^https?:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? '';
  const base = path.replace(/\/+$/, '').split('/').at(-1) ?? '';
  let name = base;
  try {
    name = decodeURIComponent(base);
  } catch {
    // Taken as it is written.
  }
  return name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0')
    ? '__unnamed__'
    : name;
}

function wrong(message: string, remedy: string): Error {
  return dockerfileError('DOCKERFILE_INSTRUCTION', message, { remedy });
}
