import { posix } from 'node:path';
import type { CopyAction, FileAction, FileOp, Owner, PickAction } from '../../../graph/index.ts';
import { cleanPath, hasWildcards } from '../../../tree/index.ts';
import {
  ChownOptSchema,
  FileActionCopySchema,
  FileActionMkDirSchema,
  FileActionMkFileSchema,
  FileActionRmSchema,
  FileActionSchema,
  FileActionSymlinkSchema,
  FileOpSchema,
  NamedUserOptSchema,
  UserOptSchema,
  type ChownOpt,
  type FileAction as WireAction,
  type FileActionCopy,
  type FileOp as WireFile,
  type UserOpt,
} from '../../gen/buildkit/ops_pb.ts';
import { create, type MessageInitShape } from '../../grpc/index.ts';

type ActionCase = NonNullable<WireAction['action']>;

/** What file actions refer to: numbers of the wire op's inputs, -1 for the empty tree. */
export interface FileInputs {
  /** Of the vertex's inputs, by their numbers. */
  readonly numbers: readonly number[];
  /** How many inputs the wire op has. */
  readonly count: number;
}

/** Changes to a tree as BuildKit's actions, each on what the one before it made. Text that a plan holds is made by actions of its own first. The dialect of the layer is lost: BuildKit writes its own. */
export function encodeFile(op: FileOp, inputs: FileInputs): WireFile {
  const writer = new ActionWriter(inputs);
  for (const action of op.actions) writer.write(action);
  return writer.end();
}

class ActionWriter {
  readonly #inputs: FileInputs;
  readonly #actions: WireAction[] = [];
  #at: bigint;

  constructor(inputs: FileInputs) {
    this.#inputs = inputs;
    this.#at = BigInt(inputs.numbers[0] ?? -1);
  }

  write(action: FileAction): void {
    if (action.kind === 'copy') this.#copy(action);
    else if (action.kind === 'pick') this.#pick(action);
    else this.#push(plainAction(action, this.#chown(action.kind === 'remove' ? undefined : action.owner)));
  }

  end(): WireFile {
    // An op with nothing to do is one that makes the root, which is there.
    if (this.#actions.length === 0) this.#push(mkdir('/', { makeParents: true }));
    this.#actions.at(-1)!.output = 0n;
    return create(FileOpSchema, { actions: this.#actions });
  }

  /** One more action on what there is; gives the number of its result. */
  #push(action: ActionCase, secondary = -1n): void {
    this.#at = this.#add(action, this.#at, secondary);
  }

  #add(action: ActionCase, input: bigint, secondaryInput: bigint): bigint {
    const index = this.#actions.push(create(FileActionSchema, { input, secondaryInput, output: -1n, action })) - 1;
    return BigInt(this.#inputs.count + index);
  }

  #number(input: number | undefined): bigint {
    return BigInt(this.#inputs.numbers[input ?? 0] ?? -1);
  }

  #copy(action: CopyAction): void {
    const owner = this.#chown(action.owner);
    if ('input' in action.from) {
      const from = this.#number(action.from.input);
      for (const source of action.sources) this.#push(copyAction(action, belowOf(action, source), owner), from);
      return;
    }
    for (const { name, content, mode } of action.from.files) {
      const path = cleanPath(`/${name}`);
      const text = create(FileActionMkFileSchema, { path, mode, data: Buffer.from(content), timestamp: -1n });
      const made = this.#add({ case: 'mkfile', value: text }, -1n, -1n);
      this.#push(copyAction(action, { src: path }, owner), made);
    }
  }

  /** Folder by folder, so that what leads to a thing stays what it is: 0755 and root's. */
  #pick(action: PickAction): void {
    const from = this.#number(action.from.input);
    const owner = this.#chown(action.owner);
    const except = (action.except ?? []).map((path) => cleanPath(`/${path}`));
    for (const [folder, names] of pickedNames(action)) {
      const inside = except.filter((path) => path.startsWith(folder === '/' ? folder : `${folder}/`));
      const alone = [...names].flatMap(([name, whole]) => (whole ? [] : [`${name}/*`]));
      const excludePatterns = [...alone, ...inside.map((path) => literal(posix.relative(folder, path)))];
      if (folder !== '/') this.#push(mkdir(folder, { makeParents: true, mode: 0o755 }));
      const value = {
        ...FULL_COPY,
        src: folder,
        dest: folder,
        includePatterns: [...names.keys()],
        excludePatterns,
        owner,
      };
      this.#push({ case: 'copy', value: create(FileActionCopySchema, value) }, from);
    }
  }

  #chown(owner: Owner | undefined): ChownOpt | undefined {
    if (!owner) return undefined;
    const { user, group, userInput, groupInput } = owner;
    return create(ChownOptSchema, {
      user: this.#user(user, userInput),
      ...(group === undefined ? {} : { group: this.#user(group, groupInput) }),
    });
  }

  #user(who: number | string, input: number | undefined): UserOpt {
    if (typeof who === 'number') return create(UserOptSchema, { user: { case: 'byID', value: who } });
    const tree = this.#number(input);
    // In the empty tree nobody has a name, and who is not known is root.
    if (tree === -1n) return create(UserOptSchema, { user: { case: 'byID', value: 0 } });
    const value = create(NamedUserOptSchema, { name: who, input: tree });
    return create(UserOptSchema, { user: { case: 'byName', value } });
  }
}

/** What a Dockerfile's COPY means, and nothing changed. */
const FULL_COPY = {
  mode: -1,
  timestamp: -1n,
  followSymlink: true,
  dirCopyContents: true,
  createDestPath: true,
  allowWildcard: false,
  allowEmptyWildcard: true,
} as const;

type Below = Pick<FileActionCopy, 'src'> & Partial<Pick<FileActionCopy, 'includePatterns' | 'requiredPaths'>>;

function copyAction(action: CopyAction, below: Below, owner: ChownOpt | undefined): ActionCase {
  const { mode, destination, exclude = [] } = action;
  const value = create(FileActionCopySchema, {
    ...FULL_COPY,
    ...below,
    dest: destination,
    owner,
    mode: typeof mode === 'number' ? mode : -1,
    modeStr: typeof mode === 'string' ? mode : '',
    followSymlink: action.followSource !== false,
    dirCopyContents: action.folderItself !== true,
    attemptUnpackDockerCompatibility: action.unpack,
    createDestPath: action.makeFolders !== false,
    allowWildcard: action.wildcard && 'input' in action.from,
    allowEmptyWildcard: action.emptyWildcard !== false,
    timestamp: timestampOf(action),
    excludePatterns: [...exclude],
    alwaysReplaceExistingDestPaths: action.replace === true,
  });
  return { case: 'copy', value };
}

/** A source, and what of what is below it: with `parents` that is what comes after the pivot "/./". */
function belowOf(action: CopyAction, source: string): Below {
  if (!action.parents)
    return { src: source, includePatterns: [...(action.include ?? [])], requiredPaths: [...(action.required ?? [])] };
  const pivot = source.indexOf('/./');
  const src = pivot < 0 ? '/' : cleanPath(`/${source.slice(0, pivot)}`);
  const pattern = cleanPath(`/${pivot < 0 ? source : source.slice(pivot + 3)}`).slice(1);
  if (pattern === '') return { src };
  const exact = !hasWildcards(src) && !hasWildcards(pattern);
  return { src, includePatterns: [pattern], requiredPaths: exact ? [pattern] : [] };
}

/** By folder: the patterns of what is picked there, and whether with all that is below it. */
function pickedNames({ trees, entries }: PickAction): readonly (readonly [string, ReadonlyMap<string, boolean>])[] {
  const folders = new Map<string, Map<string, boolean>>();
  const add = (path: string, whole: boolean): void => {
    if (path === '/' && !whole) return;
    const folder = posix.dirname(path);
    const names = folders.get(folder) ?? new Map<string, boolean>();
    const name = path === '/' ? '*' : literal(posix.basename(path));
    folders.set(folder, names.set(name, whole || names.get(name) === true));
  };
  const whole = new Set(trees.map((path) => cleanPath(`/${path}`)));
  for (const path of entries) add(cleanPath(`/${path}`), false);
  // What lies in a tree that is taken whole comes with it.
  for (const path of whole) if (!isInside(path, whole)) add(path, true);
  return [...folders].sort(([a], [b]) => (a < b ? -1 : 1));
}

function isInside(path: string, trees: ReadonlySet<string>): boolean {
  for (let at = path; at !== '/';) {
    at = posix.dirname(at);
    if (trees.has(at)) return true;
  }
  return false;
}

function plainAction(action: Exclude<FileAction, CopyAction | PickAction>, owner: ChownOpt | undefined): ActionCase {
  switch (action.kind) {
    case 'mkdir': {
      const { path, mode, parents: makeParents } = action;
      return mkdir(path, { mode, makeParents, owner, timestamp: timestampOf(action) });
    }
    case 'mkfile': {
      const { path, mode, content, encoding } = action;
      const data = Buffer.from(content, encoding ?? 'utf8');
      return {
        case: 'mkfile',
        value: create(FileActionMkFileSchema, { path, mode, data, owner, timestamp: timestampOf(action) }),
      };
    }
    case 'symlink': {
      const { path: newpath, target: oldpath } = action;
      return {
        case: 'symlink',
        value: create(FileActionSymlinkSchema, { newpath, oldpath, owner, timestamp: timestampOf(action) }),
      };
    }
    default: {
      const { path, wildcard: allowWildcard, missingOk: allowNotFound } = action;
      return { case: 'rm', value: create(FileActionRmSchema, { path, allowWildcard, allowNotFound }) };
    }
  }
}

function mkdir(path: string, more: Partial<MessageInitShape<typeof FileActionMkDirSchema>>): ActionCase {
  return {
    case: 'mkdir',
    value: create(FileActionMkDirSchema, { path, mode: 0o755, timestamp: -1n, ...more }),
  };
}

/** Nanoseconds; -1 for none. */
function timestampOf({ mtime, mtimeNs = 0 }: { mtime?: number | undefined; mtimeNs?: number | undefined }): bigint {
  return mtime === undefined ? -1n : BigInt(mtime) * 1_000_000_000n + BigInt(mtimeNs);
}

/** A name as a pattern that means it alone. */
function literal(path: string): string {
  return path.replaceAll(/[\\*?[\]!]/g, (sign) => `\\${sign}`);
}
