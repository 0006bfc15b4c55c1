import type { CopyAction, FileAction, Owner } from '../../../graph/index.ts';
import { cleanPath, hasWildcards } from '../../../tree/index.ts';
import type { ChownOpt, FileAction as WireAction, FileActionCopy, UserOpt } from '../../gen/buildkit/ops_pb.ts';
import type { OpFailure } from './wire-op.ts';

interface ActionContext {
  readonly field: string;
  readonly fail: OpFailure;
  /** Number of the input that a copy reads. */
  readonly source: number;
  /** Inputs where names of owners are looked up, where these are not input 0. */
  readonly lookUp: { readonly userInput?: number; readonly groupInput?: number };
}

/** Where an action's owner is looked up by name. */
export function ownerInputs(
  wire: WireAction,
  o: Pick<ActionContext, 'field' | 'fail'>,
): readonly { which: 'userInput' | 'groupInput'; value: bigint }[] {
  const { action } = wire;
  if (action.case === undefined) throw o.fail.unsupported(o.field, 'it is of no known kind');
  if (action.case === 'rm') return [];
  const { owner } = action.value;
  const named = (user: UserOpt | undefined): bigint | undefined =>
    user?.user.case === 'byName' ? user.user.value.input : undefined;
  const user = named(owner?.user);
  const group = named(owner?.group);
  return [
    ...(user === undefined ? [] : [{ which: 'userInput' as const, value: user }]),
    ...(group === undefined ? [] : [{ which: 'groupInput' as const, value: group }]),
  ];
}

/** One action as ours. */
export function decodeAction({ action }: WireAction, c: ActionContext): FileAction {
  switch (action.case) {
    case 'mkdir': {
      const { path, mode, makeParents: parents, owner, timestamp } = action.value;
      const entry = { path: rooted(path), mode: mode & 0o777 };
      return { kind: 'mkdir', ...entry, parents, owner: ownerOf(owner, c), ...timeOf(timestamp) };
    }
    case 'mkfile': {
      const { path, mode, data, owner, timestamp } = action.value;
      const entry = { path: rooted(path), mode: mode & 0o777, ...contentOf(data) };
      return { kind: 'mkfile', ...entry, owner: ownerOf(owner, c), ...timeOf(timestamp) };
    }
    case 'symlink': {
      const { oldpath: target, newpath, owner, timestamp } = action.value;
      return { kind: 'symlink', path: rooted(newpath), target, owner: ownerOf(owner, c), ...timeOf(timestamp) };
    }
    case 'rm': {
      const { path, allowNotFound: missingOk, allowWildcard: wildcard } = action.value;
      return { kind: 'remove', path: rooted(path), wildcard, missingOk };
    }
    case 'copy':
      return copyOf(action.value, c);
    default:
      throw c.fail.unsupported(c.field, 'it is of no known kind');
  }
}

function copyOf(copy: FileActionCopy, c: ActionContext): CopyAction {
  const source = rooted(copy.src);
  const below = belowOf(source, copy);
  const wildcard = copy.allowWildcard && below.sources.some(hasWildcards);
  const mode = copy.modeStr === '' ? (copy.mode === -1 ? undefined : copy.mode) : copy.modeStr;
  if (typeof mode === 'number' && (mode < 0 || mode > 0o7777))
    throw c.fail.invalid(`${c.field}.copy.mode`, `"${mode}" is out of range`);
  return {
    kind: 'copy',
    from: { input: c.source },
    destination: destinationOf(copy.dest),
    wildcard,
    owner: ownerOf(copy.owner, c),
    mode,
    ...below,
    exclude: filled(copy.excludePatterns),
    unpack: copy.attemptUnpackDockerCompatibility,
    followDestination: true,
    ...timeOf(copy.timestamp),
    followSource: copy.followSymlink ? undefined : false,
    folderItself: copy.dirCopyContents ? undefined : true,
    makeFolders: copy.createDestPath ? undefined : false,
    emptyWildcard: copy.allowEmptyWildcard || !wildcard || !hasWildcards(source) ? undefined : false,
    replace: copy.alwaysReplaceExistingDestPaths || undefined,
  };
}

/** Patterns as `--parents` makes them are told as `parents`. */
function belowOf(
  source: string,
  { includePatterns: include, requiredPaths: required }: FileActionCopy,
): Pick<CopyAction, 'sources' | 'parents' | 'include' | 'required'> {
  const [pattern, ...more] = include;
  if (pattern !== undefined && more.length === 0 && pattern !== '' && cleanPath(`/${pattern}`) === `/${pattern}`) {
    const exact = !hasWildcards(source) && !hasWildcards(pattern);
    const asked = required.length === (exact ? 1 : 0) && (!exact || required[0] === pattern);
    const pivot = source === '/' ? `/${pattern}` : `${source}/./${pattern}`;
    if (asked && !source.includes('/./') && !pattern.startsWith('!') && !pattern.includes('/./'))
      return { sources: [pivot], parents: true };
  }
  return { sources: [source], parents: false, include: filled(include), required: filled(required) };
}

/** Actions in order; copies that follow each other and differ only in what they copy are one. */
export class ActionList {
  readonly #actions: FileAction[] = [];
  #last:
    | {
        readonly action: CopyAction;
        readonly sources: string[];
        readonly rest: string;
        wildcard: boolean;
        literal: boolean;
      }
    | undefined;

  add(action: FileAction): void {
    if (action.kind !== 'copy') {
      this.#flush();
      this.#actions.push(action);
      return;
    }
    const { sources, wildcard, ...others } = action;
    const rest = JSON.stringify(others);
    const last = this.#last;
    // What only looks like a pattern stays apart from patterns.
    const literal = !wildcard && sources.some(hasWildcards);
    if (!last || last.rest !== rest || (last.literal && wildcard) || (literal && last.wildcard)) {
      this.#flush();
      this.#last = { action, sources: [...sources], rest, wildcard, literal };
      return;
    }
    last.sources.push(...sources);
    last.wildcard ||= wildcard;
    last.literal ||= literal;
  }

  list(): readonly FileAction[] {
    this.#flush();
    return this.#actions;
  }

  #flush(): void {
    if (this.#last) {
      const { action, sources, wildcard } = this.#last;
      this.#actions.push({ ...action, sources, wildcard });
    }
    this.#last = undefined;
  }
}

function filled(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

function rooted(path: string): string {
  return cleanPath(`/${path}`);
}

/** With a "/" at its end where a folder is meant. */
function destinationOf(path: string): string {
  const clean = rooted(path);
  return clean !== '/' && /(?:^|\/)\.?$/.test(path) ? `${clean}/` : clean;
}

/** As text where it is text. */
function contentOf(data: Uint8Array): { content: string; encoding?: 'base64' } {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const content = bytes.toString();
  return Buffer.from(content).equals(bytes) ? { content } : { content: bytes.toString('base64'), encoding: 'base64' };
}

/** Nanoseconds as ours; none for -1. */
function timeOf(timestamp: bigint): { mtime?: number; mtimeNs?: number } {
  if (timestamp === -1n) return {};
  const rest = ((timestamp % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  const mtime = Number((timestamp - rest) / 1_000_000_000n);
  return rest === 0n ? { mtime } : { mtime, mtimeNs: Number(rest) };
}

function ownerOf(owner: ChownOpt | undefined, c: ActionContext): Owner | undefined {
  if (!owner) return undefined;
  const user = idOrName(owner.user, c) ?? 0;
  const group = idOrName(owner.group, c);
  return { user, ...(group === undefined ? {} : { group }), ...c.lookUp };
}

function idOrName(who: UserOpt | undefined, { field, fail }: ActionContext): number | string | undefined {
  if (who?.user.case === 'byID') return who.user.value;
  if (who?.user.case !== 'byName') return undefined;
  const { name } = who.user.value;
  if (name === '') throw fail.invalid(`${field}.owner`, 'the name is empty');
  return name;
}
