import type { ExplainedStep, MemberChange } from '../../../engine/index.ts';
import { shortId } from '../print/units.ts';

type Told = ExplainedStep['causes'][number];
type Of<K extends Told['kind']> = Extract<Told, { kind: K }>;

/** A cause in lines. At most `most` paths are told. */
export function causeLines(cause: Told, most: number): readonly string[] {
  switch (cause.kind) {
    case 'first':
      return ['no entry: the first build on record'];
    case 'new':
      return ['no entry: the build before had no such step'];
    case 'unfinished':
      return [`no entry: ${UNFINISHED[cause.outcome]}`];
    case 'evicted':
      return [cause.lost ? 'its entry was there, its result is gone' : 'evicted: its entry was there, and was pruned'];
    case 'ignored':
      return ['--no-cache'];
    case 'always':
      return ['always runs: it is made of what no later build could find again'];
    case 'instruction':
      return ['the instruction changed', `- ${cause.before}`, `+ ${cause.after}`];
    case 'variable':
      return [variableLine(cause)];
    case 'part':
      return [partLine(cause)];
    case 'files':
      return fileLines(cause, most);
    case 'content':
      return ['what it reads changed; which files is not on record'];
    case 'follows':
      return [cause.number === undefined ? `because "${cause.name}" changed` : `because step ${cause.number} changed`];
    default:
      return ['its key changed; why is not on record'];
  }
}

const UNFINISHED = {
  failed: 'it failed in the build before',
  cancelled: 'it was stopped in the build before',
  'not reached': 'the build before did not come this far',
};

function variableLine({ from, name, before, after }: Of<'variable'>): string {
  const what = `${from} ${name}`;
  const isHidden = (before && before.value === undefined) || (after && after.value === undefined);
  if (!before) return isHidden ? `${what} is new (not shown)` : `${what} is new: "${after?.value}"`;
  if (!after) return `${what} is gone`;
  return isHidden ? `${what} changed (not shown)` : `${what} changed: "${before.value}" -> "${after.value}"`;
}

/** What an instruction does can change while its words stay. */
const DERIVED: Readonly<Record<string, string>> = {
  command: 'what it runs changed: a here-document, or SHELL',
  actions: 'what it does changed: a here-document, WORKDIR, USER, or SOURCE_DATE_EPOCH',
};

function partLine({ name, before, after }: Of<'part'>): string {
  const [old, now] = [before?.value, after?.value];
  if (old === undefined && now === undefined) return DERIVED[name] ?? `its ${name} changed`;
  if (name !== 'image' && name !== 'packages' && name !== 'git' && name !== 'http')
    return `its ${name} changed: ${old ?? 'none'} -> ${now ?? 'none'}`;
  const [from, to] = [split(old), split(now)];
  if (from.name !== to.name) return `${name} changed: ${shown(from)} -> ${shown(to)}`;
  const digests = [from.digest ?? before?.digest, to.digest ?? after?.digest].map((digest) => shortId(digest ?? ''));
  return `${name === 'image' ? 'the base moved' : `${name} changed`}: ${to.name} ${digests.join(' -> ')}`;
}

/** `name@digest` of an image, `remote commit` of a repository. */
function split(value = ''): { readonly name: string; readonly digest: string | undefined } {
  const [, name = value, digest] = /^(.*?)(?:@| (?=[0-9a-f]{40}))([a-z0-9:]{40,})$/.exec(value) ?? [];
  return { name, digest };
}

function shown({ name, digest }: ReturnType<typeof split>): string {
  return digest === undefined ? name : `${name} ${shortId(digest)}`;
}

function fileLines({ paths, changed, added, removed }: Of<'files'>, most: number): readonly string[] {
  const count = changed + added + removed;
  const told = paths.slice(0, most).map(pathLine);
  const rest = count - told.length;
  if (rest === 0) return told;
  const counts = Object.entries({ changed, added, removed }).filter(([, number]) => number > 0);
  const kinds = counts.map(([word, number]) => (counts.length === 1 ? word : `${figure(number)} ${word}`)).join(', ');
  return [
    `${figure(count)} paths${counts.length === 1 ? ' ' : ': '}${kinds}`,
    ...told,
    `and ${figure(rest)} more${foldersText(paths.slice(told.length))}`,
  ];
}

const FOLDERS = 4;

/** `: 12,000 in src/, 30 in lib/`. */
function foldersText(paths: readonly MemberChange[]): string {
  const counts = new Map<string, number>();
  for (const { path } of paths) {
    const [first = '', ...more] = path.split('/');
    const folder = more.length > 0 ? `${first}/` : './';
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const most = [...counts].sort(([, a], [, b]) => b - a).slice(0, FOLDERS);
  if (most.length === 0) return '';
  return `: ${most.map(([folder, number]) => `${figure(number)} in ${folder}`).join(', ')}${counts.size > FOLDERS ? ', …' : ''}`;
}

function pathLine({ path, change, before, after }: MemberChange): string {
  if (change !== 'changed') {
    const digest = (after ?? before)?.digest;
    return `${path} ${change}${digest === undefined ? '' : ` (${shortId(digest)})`}`;
  }
  const words: string[] = [];
  if (before?.digest !== after?.digest && before?.digest !== undefined && after?.digest !== undefined)
    words.push(`${shortId(before.digest)} -> ${shortId(after.digest)}`);
  if (before?.about !== after?.about) words.push(aboutText(before?.about ?? '', after?.about ?? ''));
  return `${path} changed: ${words.join(', ')}`;
}

/** What differs: the mode alone, or all that is known. */
function aboutText(before: string, after: string): string {
  const [old, now] = [before.split(' '), after.split(' ')];
  const same = old.length === now.length && old.every((word, at) => at === 1 || word === now[at]);
  return same && old[0] !== 'symlink' ? `mode ${old[1]} -> ${now[1]}` : `${before} -> ${after}`;
}

function figure(count: number): string {
  return `${count}`.replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}
