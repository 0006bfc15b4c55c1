import type { Draft } from './unpacked-tree.ts';

/** What a slim image leaves out and keeps, as dpkg's path-exclude and path-include: "*" also matches "/". The lists are those of Debian's slim images. */
export const SLIM_EXCLUDES: readonly string[] = [
  '/usr/share/doc/*',
  '/usr/share/groff/*',
  '/usr/share/info/*',
  '/usr/share/linda/*',
  '/usr/share/lintian/overrides/*',
  '/usr/share/locale/*',
  '/usr/share/man/*',
];

export const SLIM_INCLUDES: readonly string[] = [
  '/usr/share/doc/*/copyright',
  '/usr/share/doc/kde/HTML/C/*',
  '/usr/share/gnome/help/*/C/*',
  '/usr/share/locale/all_languages',
  '/usr/share/locale/currency/*',
  '/usr/share/locale/l10n/*',
  '/usr/share/locale/languages',
  '/usr/share/locale/locale.alias',
  '/usr/share/omf/*/*-C.emf',
];

const EXCLUDED = matcher(SLIM_EXCLUDES);
const INCLUDED = matcher(SLIM_INCLUDES);

/** True for a path that a slim image does not have, unless it is a folder with something in it. */
export function isExcluded(path: string): boolean {
  return EXCLUDED.test(`/${path}`) && !INCLUDED.test(`/${path}`);
}

/**
 * Removes what a slim image does not have, and the folders that become empty by it. Folders of manual pages stay (scripts of some packages link into them), so do links in
 * /usr/share/doc to another package's folder, because the copyright is there.
 */
export function slimDown(draft: Draft): void {
  const kept = new Set<string>();
  const folders: string[] = [];
  for (const [path, entry] of draft.entries) {
    const stays = !isExcluded(path) || (entry.type === 'symlink' && /^usr\/share\/doc\/[^/]+$/.test(path));
    if (entry.type === 'directory' && !stays && !/^usr\/share\/man\/man[1-9]$/.test(path)) folders.push(path);
    else if (entry.type === 'directory' || stays) for (let at = path; at !== ''; at = parent(at)) kept.add(at);
    else remove(draft, path);
  }
  for (const path of folders) if (!kept.has(path)) remove(draft, path);
}

function remove(draft: Draft, path: string): void {
  draft.entries.delete(path);
  draft.contents.delete(path);
}

function parent(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

function matcher(patterns: readonly string[]): RegExp {
  const sources = patterns.map((pattern) =>
    pattern.replaceAll(/[.+^${}()|[\]\\]/g, String.raw`\$&`).replaceAll('*', '.*'),
  );
  return new RegExp(`^(?:${sources.join('|')})$`, 's');
}
