import { collect, type Bytes, type Wait } from '../base/index.ts';
import type { Digest } from '../blob/index.ts';
import { composeTree, type ComposeItem, type Entry, type FileRegion, type FileTree } from '../tree/index.ts';
import { PACKAGE_FOLDER } from './configure-steps.ts';
import { extendedStates } from './image-files.ts';
import type { Lock } from './lock.ts';
import { isExcluded } from './slim.ts';

/**
 * The files of a configured base without what differs from one making to the next, or belongs to the machine it was made on: logs, caches, locks, backups, host names, keys made on
 * installation, compiled Python. Folders stay. No time is later than the lock's epoch. The result is the same bytes whenever and wherever the same lock was configured.
 */
export function cleaned(tree: FileTree, lock: Lock): FileTree {
  return new CleanedTree(tree, lock);
}

class CleanedTree implements FileTree {
  readonly #tree: FileTree;
  readonly #lock: Lock;
  #made: Promise<FileTree> | undefined;
  #ready: FileTree | undefined;

  constructor(tree: FileTree, lock: Lock) {
    this.#tree = tree;
    this.#lock = lock;
  }

  async entries(w?: Wait): Promise<readonly Entry[]> {
    return (await this.#clean(w)).entries(w);
  }

  async *read(files: readonly Entry[], w?: Wait): Bytes {
    yield* (await this.#clean(w)).read(files, w);
  }

  async digests(files: readonly Entry[], w?: Wait): Promise<readonly Digest[]> {
    return (await this.#clean(w)).digests(files, w);
  }

  locate(file: Entry): FileRegion | undefined {
    return this.#ready?.locate?.(file);
  }

  async #clean(w?: Wait): Promise<FileTree> {
    this.#made ??= clean(this.#tree, this.#lock, w).catch((error: unknown) => {
      this.#made = undefined;
      throw error;
    });
    this.#ready = await this.#made;
    return this.#ready;
  }
}

async function clean(tree: FileTree, lock: Lock, w?: Wait): Promise<FileTree> {
  const all = await tree.entries(w);
  const gone = new Set(all.filter((entry) => isGone(entry, lock)).map(({ path }) => path));
  const dropped = (path: string): boolean => {
    for (let at = path; at !== ''; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) if (gone.has(at)) return true;
    return false;
  };
  const kept = promoted(all, dropped);
  const items: ComposeItem[] = [];
  for (const { entry, from } of kept) {
    const time = entry.mtime > lock.epoch ? { mtime: lock.epoch, mtimeNs: 0 } : { mtimeNs: 0 };
    if (entry.type !== 'file') {
      items.push({ entry: { ...entry, ...time } });
      continue;
    }
    const rewrite = REWRITTEN.get(entry.path) ?? (isLog(entry.path) ? () => '' : undefined);
    if (rewrite) {
      const before = Buffer.from(await collect(tree.read([from], w))).toString('latin1');
      const content = Buffer.from(rewrite(before, lock), 'latin1');
      const changed = entry.path === STATES ? { mtime: lock.epoch } : {};
      items.push({ entry: { ...entry, ...time, ...changed, size: content.length }, from: { content } });
    } else items.push({ entry: { ...entry, ...time }, from: { tree, entry: from } });
  }
  return composeTree(items);
}

/** Entries that stay. Where the first name of an inode goes, its next name takes the content over. */
function promoted(
  all: readonly Entry[],
  dropped: (path: string) => boolean,
): readonly { readonly entry: Entry; readonly from: Entry }[] {
  const byPath = new Map(all.map((entry) => [entry.path, entry]));
  const leaders = new Map<string, string>();
  const kept: { entry: Entry; from: Entry }[] = [];
  for (const entry of all) {
    if (dropped(entry.path)) continue;
    const source = entry.type === 'hardlink' ? byPath.get(entry.link ?? '') : undefined;
    if (!source || !dropped(source.path)) {
      kept.push({ entry, from: entry });
      continue;
    }
    const leader = leaders.get(source.path);
    if (leader === undefined) {
      leaders.set(source.path, entry.path);
      kept.push({ entry: { ...source, path: entry.path }, from: source });
    } else kept.push({ entry: { ...entry, link: leader }, from: entry });
  }
  return kept;
}

const STATES = 'var/lib/apt/extended_states';

/** Files that stay with another content. Bytes are kept as Latin-1. */
const REWRITTEN: ReadonlyMap<string, (content: string, lock: Lock) => string> = new Map([
  ['etc/machine-id', () => ''],
  ['etc/shadow', clampShadow],
  [STATES, (_: string, lock: Lock) => autoStates(lock)],
]);

/** apt marks archives given by name as wanted; the lock knows which were. */
function autoStates(lock: Lock): string {
  const auto = lock.packages.filter((item) => item.auto === true);
  return extendedStates(auto.map(({ name }) => ({ name, architecture: lock.architecture })));
}

/** The third field is the day of the last change of password (shadow(5)). */
function clampShadow(content: string, lock: Lock): string {
  const day = Math.floor(lock.epoch / 86_400);
  return content.replaceAll(
    /^([^:\n]*:[^:\n]*:)(\d+)(?=:)/gm,
    (_, start: string, changed: string) => start + Math.min(Number(changed), day),
  );
}

const LOGS = new Set(['wtmp', 'btmp', 'lastlog', 'faillog', 'tallylog'].map((name) => `var/log/${name}`));

/** Records of logins, whose files must be there for programs to write to. */
function isLog(path: string): boolean {
  return LOGS.has(path);
}

/** Files and folders that go, by path. */
const GONE: readonly RegExp[] = [
  /^(?:dev|proc|sys|tmp|var\/tmp)\/./,
  /^run\/(?!lock$)./,
  /^\.(?:dockerenv|pivot_root[^/]*)$/,
  /^etc\/(?:hostname|resolv\.conf|mtab|\.pwd\.lock)$/,
  /^etc\/(?:passwd|group|shadow|gshadow|subuid|subgid)-$/,
  /^etc\/ssh\/ssh_host_[^/]+_key(?:\.pub)?$/,
  /^etc\/ssl\/(?:private\/ssl-cert-snakeoil\.key|certs\/ssl-cert-snakeoil\.pem)$/,
  /^var\/lib\/dbus\/machine-id$/,
  /^var\/lib\/systemd\/(?:random-seed|credential\.secret)$/,
  /^var\/cache\/apt\/(?!archives(?:\/partial)?$)./,
  /^var\/lib\/apt\/lists\/(?!partial$)./,
  /^var\/cache\/ldconfig\/aux-cache$/,
  /^var\/cache\/debconf\/[^/]+-old$/,
  /^var\/cache\/(?:man|fontconfig)\/./,
  /^var\/lib\/dpkg\/(?:lock|lock-frontend|(?:status|diversions|statoverride|available|arch)-old|updates\/.+|triggers\/Lock)$/,
  /^var\/lib\/dpkg\/[^/]+\.dpkg-(?:new|tmp|old)$/,
  /^var\/backups\/./,
  /^var\/lib\/ucf\/[^/]+\.\d+$/,
  /^root\/\.(?:bash_history|wget-hsts|lesshst)$/,
  /(?:^|\/)__pycache__$/,
];

function isGone(entry: Entry, lock: Lock): boolean {
  const { path, type } = entry;
  if (path === PACKAGE_FOLDER || GONE.some((pattern) => pattern.test(path))) return true;
  if (type === 'file' && path.startsWith('var/log/') && !isLog(path)) return true;
  return lock.variant === 'slim' && type === 'file' && isExcluded(path);
}
