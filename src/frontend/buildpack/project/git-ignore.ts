import { parentOf, baseOf } from '../../../tree/index.ts';
import { gitBytes, parseGitPattern, type GitPattern } from './git-pattern.ts';

/** Which paths a .gitignore file at the root ignores, exactly as git decides. Nothing below an ignored folder can be taken back. */
export class GitIgnore {
  readonly #patterns: readonly GitPattern[];

  /** The lines of the file. */
  constructor(lines: readonly string[]) {
    this.#patterns = lines.flatMap((line) => parseGitPattern(line) ?? []);
  }

  /** Asked of a walk: whether `path` itself is, where none of the folders that it is in are. Paths are relative to the root. */
  ignoresAlone(path: string, o: { folder: boolean }): boolean {
    const text = gitBytes(path);
    const name = baseOf(text);
    const last = this.#patterns.findLast((one) => (!one.folderOnly || o.folder) && one.matches(text, name));
    return last !== undefined && !last.negated;
  }

  /** The same of any path: one in an ignored folder is ignored. */
  ignores(path: string, o: { folder: boolean }): boolean {
    const above = parentOf(path);
    return (above !== '' && this.ignores(above, { folder: true })) || this.ignoresAlone(path, o);
  }
}
