import type { CopyAction, FileAction, Owner } from '../../graph/index.ts';
import { cleanPath, hasWildcards } from '../../tree/index.ts';
import { dockerfileError, notSupportedYet } from './errors.ts';
import { quote } from './go-text.ts';
import type { AddInstruction, CopyInstruction, InlineFile } from './instruction.ts';
import { expandIn, folderOf, nextLabel, shown, withLayer, type StageState, type StepScope } from './stage-state.ts';

/** COPY and ADD (facts 1.6). */
export function copy(stage: StageState, instruction: CopyInstruction | AddInstruction, scope: StepScope): StageState {
  const word = (text: string): string => expandIn(stage, scope, { instruction, text }).text;
  const chown = word(instruction.chown);
  const chmod = word(instruction.chmod);
  const sources = instruction.sources.map(word);
  const written = word(instruction.destination);
  const files = instruction.files.map((file) => ({ ...file, content: contentOf(stage, file, { instruction, scope }) }));
  const add = instruction.kind === 'add';
  checkSources(sources, instruction, scope);
  const shared = {
    destination: destinationPath(folderOf(stage), written),
    owner: chown === '' ? undefined : parseOwner(chown),
    mode: chmod === '' ? undefined : parseMode(chmod),
    parents: false,
    followDestination: true,
  };
  const actions: FileAction[] = [];
  if (sources.length > 0) {
    for (const source of sources) scope.source.use(source);
    const copied: CopyAction = {
      ...shared,
      kind: 'copy',
      from: { input: 1 },
      sources: sources.map((source) => cleanPath(`/${source}`)),
      wildcard: sources.some(hasWildcards),
      unpack: add,
    };
    actions.push(copied);
  }
  if (files.length > 0)
    actions.push({
      ...shared,
      kind: 'copy',
      from: { files: files.map(({ name, content }) => ({ name, content, mode: 0o644 })) },
      sources: files.map(({ name }) => cleanPath(`/${name}`)),
      wildcard: false,
      unpack: false,
    });
  const text = shown(stage, instruction.code, { escape: scope.escape });
  const { label, index } = nextLabel(stage, scope, { instruction, text, mayIgnoreCache: true });
  const after = stage.state.file(actions, sources.length > 0 ? [scope.source.state] : [], label);
  const createdBy = [
    add ? 'ADD' : 'COPY',
    ...(chown === '' ? [] : [`--chown=${chown}`]),
    ...(chmod === '' ? [] : [`--chmod=${chmod}`]),
    ...sources,
    ...files.map(({ name }) => `<<${name}`),
    written,
    '# buildkit',
  ];
  return withLayer(stage, after, { index, createdBy: createdBy.join(' ') });
}

/** Throws `DOCKERFILE_NOT_SUPPORTED_YET` for the flags that come later. */
export function refuseCopyFlags(instruction: CopyInstruction | AddInstruction, places: StepScope['places']): void {
  const name = instruction.kind.toUpperCase();
  const refuse = (flag: string, remedy: string): Error =>
    notSupportedYet(`${name} ${flag}`, places.place(instruction.range), remedy);
  if (instruction.link) throw refuse('--link', 'Leave the flag out: the copied files are the same.');
  if (instruction.exclude.length > 0)
    throw refuse('--exclude', 'Name the files in .dockerignore, or copy a narrower source.');
  if (instruction.kind === 'copy') {
    if (instruction.parents) throw refuse('--parents', 'Copy each folder to its own destination.');
    return;
  }
  if (instruction.keepGitDir !== undefined) throw refuse('--keep-git-dir', 'Clone the repository in a RUN.');
  if (instruction.unpack !== undefined)
    throw refuse(
      '--unpack',
      'Use COPY for an archive that is not to be unpacked, and ADD without the flag for one that is.',
    );
}

/** Where copied files go: absolute; a trailing "/" for a folder. */
export function destinationPath(folder: string, written: string): string {
  const path = written === '' || written === '.' ? './' : written;
  const clean = cleanPath(path.startsWith('/') ? path : `${folder}/${path}`);
  const isFolder = path.endsWith('/') || path.endsWith('/.');
  return isFolder && clean !== '/' ? `${clean}/` : clean;
}

/** `user[:group]`. A number alone is the group's, too; a name's group is looked up where the files are. */
export function parseOwner(text: string): Owner {
  const colon = text.indexOf(':');
  const user = idOrName(colon < 0 ? text : text.slice(0, colon));
  if (colon >= 0) return { user, group: idOrName(text.slice(colon + 1)) };
  return typeof user === 'number' ? { user, group: user } : { user };
}

function idOrName(text: string): number | string {
  if (text === 'root' || text === '') return 0;
  const id = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (!(id >= -(2 ** 31) && id < 2 ** 31)) return text;
  return id < 0 ? id + 2 ** 32 : id;
}

const SYMBOLIC = /^[augo]*(?:[-+=][rstwXxugo]*)+(?:,[augo]*(?:[-+=][rstwXxugo]*)+)*$/;

function parseMode(text: string): number | string {
  if (/^[0-7]+$/.test(text) && Number.parseInt(text, 8) <= 0o7777) return Number.parseInt(text, 8);
  if (/^[0-9]/.test(text) || !SYMBOLIC.test(text))
    throw dockerfileError(
      'DOCKERFILE_INSTRUCTION',
      /^[0-9]/.test(text)
        ? `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`
        : `invalid chmod parameter: '${text}': invalid syntax`,
      { remedy: 'Write an octal mode such as 0644, or a symbolic one such as u=rw,go=r.' },
    );
  return text;
}

function contentOf(
  stage: StageState,
  file: InlineFile,
  o: { readonly instruction: CopyInstruction | AddInstruction; readonly scope: StepScope },
): string {
  if (!file.expand) return file.content;
  const how = { escape: '\\', skipQuotes: true } as const;
  return expandIn(stage, o.scope, { instruction: o.instruction, text: file.content, how }).text;
}

function checkSources(
  sources: readonly string[],
  instruction: CopyInstruction | AddInstruction,
  scope: StepScope,
): void {
  const add = instruction.kind === 'add';
  const checksum = add ? instruction.checksum : '';
  const wrong = (message: string, remedy: string): Error =>
    dockerfileError('DOCKERFILE_INSTRUCTION', message, { remedy });
  if (checksum !== '' && sources.length !== 1)
    throw wrong("checksum can't be specified for multiple sources", 'Write one ADD for each source.');
  for (const source of sources) {
    const remote = isGitSource(source) ? 'git' : /^https?:\/\//.test(source) ? 'http' : undefined;
    if (remote === undefined) {
      if (checksum !== '')
        throw wrong('checksum requires HTTP(S) or Git sources', 'Leave --checksum out for files of the build context.');
      lintIgnored(source, instruction, scope);
    } else if (!add)
      throw wrong(
        remote === 'git' ? "source can't be a git ref for COPY" : "source can't be a URL for COPY",
        'Use ADD for remote sources.',
      );
    else
      throw notSupportedYet(
        `ADD of the ${remote === 'git' ? 'git repository' : 'URL'} ${quote(source)}`,
        undefined,
        'Fetch it in a RUN, or put it into the build context.',
      );
  }
}

/** As BuildKit tells git repositories from web addresses and paths. */
export function isGitSource(source: string): boolean {
  if (/^(?:ssh|git):\/\//i.test(source)) return true;
  if (/^https?:\/\//i.test(source)) return /^[^?#]*\.git$/.test(source.replace(/[?#][^]*$/, ''));
  return /^[a-zA-Z0-9-_]+@[a-zA-Z0-9-.]+:./.test(source);
}

function lintIgnored(source: string, instruction: CopyInstruction | AddInstruction, scope: StepScope): void {
  const { ignore, ignorePatterns, lint } = scope;
  if (ignore === undefined || ignore.hasExceptions || (instruction.kind === 'copy' && instruction.from !== '')) return;
  const path = cleanPath(source);
  const isRoot = path === '.' || path === '/';
  if (isRoot && !ignorePatterns.some((pattern) => ['*', '**', '**/*'].includes(pattern))) return;
  if (!ignore.matches(path)) return;
  const verb = instruction.kind === 'add' ? 'Add' : 'Copy';
  lint.report(
    'CopyIgnoredFile',
    instruction.range,
    `Attempting to ${verb} file ${quote(path)} that is excluded by .dockerignore`,
  );
}
