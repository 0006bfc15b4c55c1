import { comparePaths, parentOf } from '../../../tree/index.ts';
import { sessionError } from './errors.ts';
import { hasContent, isFolder, type Stat } from './stat.ts';

/** Stats of one tree at most, and characters of all names and attributes in them: what a client can make a server hold. */
const MOST_STATS = 2_000_000;
const MOST_TEXT = 512 * 1024 ** 2;
const LONGEST_PATH = 65_536;
/** A part that is empty, "." or "..". */
const UNCLEAN = /(?:^|\/)\.{0,2}(?:\/|$)/;
const LARGEST_FILE = 2 ** 44;

/** Looks at the stats of a tree in the order in which they come, and refuses what no tree has: nothing of a client is believed. */
export class OrderCheck {
  /** The folders that lead to where we are, the innermost last. */
  readonly #folders: string[] = [''];
  readonly #files = new Set<string>();
  #last = '';
  #count = 0;
  #text = 0;

  /** Throws `SESSION_PROTOCOL`, `SESSION_LIMIT`. */
  check(stat: Stat): void {
    const { path, link } = stat;
    const wrong = (why: string): Error => sessionError('SESSION_PROTOCOL', `receive the file ${quoted(path)}: ${why}`);
    this.#count += 1;
    this.#text += path.length + link.length;
    for (const [name, value] of stat.xattrs ?? []) this.#text += name.length + value.length;
    if (this.#count > MOST_STATS || this.#text > MOST_TEXT)
      throw sessionError(
        'SESSION_LIMIT',
        `receive files: there are more than ${MOST_STATS}, or their names are too long`,
        {
          remedy: 'Leave out what the build does not need, by .dockerignore.',
        },
      );
    if (stat.size > LARGEST_FILE) throw wrong('no file is so large');
    if (path === '') throw wrong('it has no name');
    if (path.length > LONGEST_PATH) throw wrong('its name is too long');
    if (path.startsWith('/')) throw wrong('its path is absolute');
    if (path.includes('\0')) throw wrong('its name has a zero byte');
    if (UNCLEAN.test(path)) throw wrong('its path is not clean');
    if (this.#last !== '' && comparePaths(this.#last, path) >= 0)
      throw wrong(path === this.#last ? 'it came twice' : `it came after ${quoted(this.#last)}`);
    this.#last = path;
    const parent = parentOf(path);
    while (this.#folders.length > 1 && this.#folders.at(-1) !== parent) this.#folders.pop();
    if (this.#folders.at(-1) !== parent) throw wrong('there is no folder that it lies in');
    if (isFolder(stat.mode)) this.#folders.push(path);
    if (!hasContent(stat.mode)) return;
    if (link === '') this.#files.add(path);
    else if (!this.#files.has(link)) throw wrong(`it is another name of ${quoted(link)}, which has not come`);
  }
}

function quoted(path: string): string {
  return JSON.stringify(path.length > 200 ? `${path.slice(0, 200)}…` : path);
}
