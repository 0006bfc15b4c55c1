import type { Wait } from '../../../base/index.ts';
import { checkGoPattern, cleanPath, compareEntries, goMatch, parentOf, type Entry } from '../../../tree/index.ts';
import { buildpackError } from '../errors.ts';
import type { Files, LayerContent, LayerPlan, Slice } from '../model/types.ts';

export interface AppLayersInput {
  /** Absolute. */
  readonly appDir: string;
  readonly uid: number;
  readonly gid: number;
  readonly slices: readonly Slice[];
}

/**
 * The layers of the app folder: one for each slice, in order, then one of all that no slice has (lifecycle layers/slices.go). A slice takes what its globs match, folders with all that is in them, but for what an
 * earlier one took; folders that lead there are in it, too, and one whose children have all been taken counts as taken. Globs are Go's `filepath.Match` on the path relative to the app, or, where they are absolute
 * (buildpack.md, launch.toml; the lifecycle matches none of these), on the whole path. A slice that takes nothing is a layer without entries. Reads the app's folders only as deep as the globs go.
 * Throws `CNB_FILE_INVALID` for a glob that is none.
 */
export async function planAppLayers(input: AppLayersInput, o: { files: Files } & Wait): Promise<LayerPlan[]> {
  const { slices, uid, gid } = input;
  const appDir = cleanPath(input.appDir);
  const parents: LayerContent = { kind: 'parents', path: appDir };
  const globs = slices.map(({ paths }) => paths.map((path) => new Glob(path, appDir)));
  const folder = new AppFolder(appDir);
  const depth = Math.max(0, ...globs.flat().map((glob) => glob.depth));
  if (depth > 0) await folder.walk(o, depth);
  const plans = globs.map((alternatives, at): LayerPlan => {
    const taken = folder.take((path) => alternatives.some((glob) => glob.matches(path)));
    const content = taken.map(({ path, kind, except }): LayerContent => {
      if (kind === 'entry') return { kind, path, uid, gid };
      return except.length > 0 ? { kind, path, uid, gid, except } : { kind, path, uid, gid };
    });
    return {
      key: `app:${at}`,
      createdBy: `Application Slice: ${at + 1}`,
      content: content.length > 0 ? [parents, ...content] : [],
      dialect: 'lifecycle-slice',
    };
  });
  const except = folder.allTaken();
  const rest: LayerContent = { kind: 'tree', path: appDir, uid, gid };
  plans.push({
    key: `app:${slices.length}`,
    createdBy: slices.length === 0 ? 'Application Layer' : `Application Slice: ${slices.length + 1}`,
    content: folder.isTaken(appDir) ? [] : [parents, except.length > 0 ? { ...rest, except } : rest],
    dialect: 'lifecycle-slice',
  });
  return plans;
}

class Glob {
  /** How many folders deep a path can be that it matches, counted from the app's: classes may match "/". */
  readonly depth: number;
  readonly #pattern: string;
  readonly #appDir: string;
  readonly #absolute: boolean;

  constructor(text: string, appDir: string) {
    this.#pattern = cleanPath(text);
    this.#absolute = this.#pattern.startsWith('/');
    this.#appDir = appDir;
    try {
      checkGoPattern(this.#pattern);
    } catch (error) {
      throw buildpackError('CNB_FILE_INVALID', `slice the app: glob "${text}": syntax error in pattern`, {
        cause: error,
        remedy: 'Write it as Go\'s filepath.Match reads it: "[" must be closed, and "\\" stands before a character.',
      });
    }
    const count = (text: string, what: string): number => text.split(what).length - 1;
    const parts = count(this.#pattern, '/') + count(this.#pattern, '[') + 1;
    this.depth = Math.max(1, this.#absolute ? parts - count(appDir, '/') : parts);
  }

  matches(path: string): boolean {
    return goMatch(
      this.#pattern,
      this.#absolute ? path : path.slice(this.#appDir === '/' ? 1 : this.#appDir.length + 1),
    );
  }
}

interface Taken {
  readonly path: string;
  readonly kind: 'entry' | 'tree';
  readonly except: readonly string[];
}

/** The app's folder, and what of it slices have taken: a path that was taken stands for all below it. */
class AppFolder {
  readonly #root: string;
  /** Children by folder, down to where globs reach. */
  readonly #children = new Map<string, readonly string[]>();
  readonly #folders = new Set<string>();
  readonly #paths: string[] = [];
  readonly #taken = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  async walk(o: { files: Files } & Wait, depth: number): Promise<void> {
    const visit = async (folder: string, left: number): Promise<void> => {
      const entries = (await o.files.list(folder, o)).toSorted(compareEntries);
      this.#children.set(
        folder,
        entries.map((entry) => absolute(entry)),
      );
      for (const entry of entries) {
        const path = absolute(entry);
        this.#paths.push(path);
        if (entry.type !== 'directory') continue;
        this.#folders.add(path);
        if (left > 1) await visit(path, left - 1);
      }
    };
    await visit(this.#root, depth);
  }

  isTaken(path: string): boolean {
    for (let at = path; ; at = folderOf(at)) {
      if (this.#taken.has(at)) return true;
      if (at === this.#root || at === '/') return false;
    }
  }

  /** The highest paths that were taken, sorted. */
  allTaken(): string[] {
    return [...this.#taken].filter((path) => path === this.#root || !this.isTaken(folderOf(path))).sort();
  }

  take(matches: (path: string) => boolean): Taken[] {
    const found = new Set(this.#paths.filter((path) => !this.isTaken(path) && matches(path)));
    const highest = [...found].filter((path) => !this.#above(path).some((folder) => found.has(folder)));
    const before = this.allTaken();
    const taken = highest.map((path): Taken => {
      if (!this.#folders.has(path)) return { path, kind: 'entry', except: [] };
      return { path, kind: 'tree', except: before.filter((one) => one.startsWith(`${path}/`)) };
    });
    const leading = new Set(highest.flatMap((path) => this.#above(path)));
    for (const path of highest) this.#taken.add(path);
    // The deepest first, so that a folder of taken folders counts as taken.
    for (const folder of [...leading].sort((a, b) => b.length - a.length))
      if (this.#children.get(folder)?.every((child) => this.isTaken(child))) this.#taken.add(folder);
    return [...[...leading].sort().map((path): Taken => ({ path, kind: 'entry', except: [] })), ...taken];
  }

  /** The folders that lead to a path, the app's included. */
  #above(path: string): string[] {
    const folders: string[] = [];
    for (let at = path; at !== this.#root;) folders.push((at = folderOf(at)));
    return folders;
  }
}

function absolute({ path }: Entry): string {
  return `/${path}`;
}

function folderOf(path: string): string {
  return `/${parentOf(path.slice(1))}`;
}
