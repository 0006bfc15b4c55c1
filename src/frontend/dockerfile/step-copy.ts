import { scratch, sourceState, State, type CopyAction, type Owner, type VertexLabel } from '../../graph/index.ts';
import { cleanPath, hasWildcards } from '../../tree/index.ts';
import { originsOf, type Origin } from './copy-origins.ts';
import { dockerfileError } from './errors.ts';
import { quote } from './go-text.ts';
import type { AddInstruction, CopyInstruction, InlineFile } from './instruction.ts';
import {
  expandIn,
  folderOf,
  nextLabel,
  shown,
  withLayer,
  type StageState,
  type StepScope,
  type StepSource,
} from './stage-state.ts';

/** COPY and ADD (facts 1.6). */
export function copy(stage: StageState, instruction: CopyInstruction | AddInstruction, scope: StepScope): StageState {
  const word = (text: string): string => expandIn(stage, scope, { instruction, text }).text;
  const chown = word(instruction.chown);
  const chmod = word(instruction.chmod);
  const checksum = instruction.kind === 'add' ? word(instruction.checksum) : '';
  const sources = instruction.sources.map(word);
  const written = word(instruction.destination);
  const files = instruction.files.map((file) => ({ ...file, content: contentOf(stage, file, { instruction, scope }) }));
  const origins = originsOf(sources, checksum, instruction);
  for (const origin of origins) if (origin.kind === 'path') lintIgnored(origin.path, instruction, scope);
  const parents = instruction.kind === 'copy' && instruction.parents;
  const text = shown(stage, instruction.code, { escape: scope.escape });
  const { label, index } = nextLabel(stage, scope, { instruction, text, mayIgnoreCache: true });
  const plan = actionsOf(origins, files, {
    shared: {
      destination: destinationPath(folderOf(stage), written),
      owner: chown === '' ? undefined : parseOwner(chown),
      mode: chmod === '' ? undefined : parseMode(chmod),
      exclude: instruction.exclude.length === 0 ? undefined : instruction.exclude,
      followDestination: true,
    },
    parents,
    unpackPaths: (instruction.kind === 'add' ? instruction.unpack : undefined) ?? instruction.kind === 'add',
    source: scope.source,
    label,
  });
  // As BuildKit does it: a mode that was asked for makes it an ordinary copy.
  const linked = instruction.link && chmod === '';
  const after = linked ? link(stage.state, plan, label) : stage.state.file(plan.actions, plan.inputs, label);
  const createdBy = [
    instruction.kind.toUpperCase(),
    ...(parents ? ['--parents'] : []),
    ...(chown === '' ? [] : [`--chown=${chown}`]),
    ...(chmod === '' ? [] : [`--chmod=${chmod}`]),
    ...sources,
    ...files.map(({ name }) => `<<${name}`),
    written,
    '# buildkit',
  ];
  return withLayer(stage, after, { index, createdBy: createdBy.join(' ') });
}

interface CopyPlan {
  readonly actions: readonly CopyAction[];
  readonly inputs: readonly State[];
}

/** One action for each origin, paths that stand together in one; inline files come last. */
function actionsOf(
  origins: readonly Origin[],
  files: readonly InlineFile[],
  o: {
    readonly shared: Pick<CopyAction, 'destination' | 'owner' | 'mode' | 'exclude' | 'followDestination'>;
    readonly parents: boolean;
    readonly unpackPaths: boolean;
    readonly source: StepSource;
    readonly label: VertexLabel;
  },
): CopyPlan {
  const { shared, parents, source } = o;
  const actions: CopyAction[] = [];
  const inputs: State[] = [];
  const once = { ...shared, kind: 'copy', wildcard: false, parents: false, unpack: false } as const;
  let context = 0;
  let run: string[] = [];
  const flush = (): void => {
    if (run.length === 0) return;
    for (const path of run) source.use(parents ? readPath(path) : path);
    context ||= inputs.push(source.state);
    const sources = run.map((path) => (parents ? pivoted(path) : cleanPath(`/${path}`)));
    const wildcard = sources.some(hasWildcards);
    actions.push({ ...once, from: { input: context }, sources, wildcard, parents, unpack: o.unpackPaths });
    run = [];
  };
  for (const origin of origins) {
    if (origin.kind === 'path') {
      run.push(origin.path);
      continue;
    }
    flush();
    const input = inputs.push(sourceState(origin.source, o.label));
    const sources = [origin.source.type === 'git' ? '/' : `/${origin.source.filename ?? ''}`];
    actions.push({ ...once, from: { input }, sources, unpack: origin.unpack });
  }
  flush();
  if (files.length > 0)
    actions.push({
      ...once,
      from: { files: files.map(({ name, content }) => ({ name, content, mode: 0o644 })) },
      sources: files.map(({ name }) => cleanPath(`/${name}`)),
    });
  return { actions, inputs };
}

/** `--link`: copied onto nothing and laid over what is there, so that the copy does not depend on it. */
function link(below: State, { actions, inputs }: CopyPlan, label: VertexLabel): State {
  const { owner } = actions[0] ?? {};
  for (const name of [owner?.user, owner?.group])
    if (typeof name === 'string')
      throw dockerfileError(
        'DOCKERFILE_INSTRUCTION',
        `invalid user index: -1: --link knows no user or group "${name}"`,
        {
          remedy: 'Give --chown numbers, or leave --link out: a linked copy does not see the passwd file below it.',
        },
      );
  const detached = actions.map((action) => ({ ...action, followDestination: false }));
  const copied = scratch.file(detached, inputs, label);
  const written = `LINK ${label.written ?? ''}`;
  return State.merge([below, copied], { ...label, written, name: label.name.replace(/^(\[[^\]]*\] )?/, '$1LINK ') });
}

/** The source of `--parents`, with the pivot kept. */
function pivoted(path: string): string {
  const pivot = path.indexOf('/./');
  if (pivot < 0) return cleanPath(`/${path}`);
  const [before, after] = [cleanPath(`/${path.slice(0, pivot)}`), cleanPath(`/${path.slice(pivot + 3)}`)];
  return `${before === '/' ? '' : before}/.${after}`;
}

/** What has to be there for a source of `--parents` to be found: all up to the first folder of any depth. */
function readPath(path: string): string {
  const parts = path.split('/');
  const any = parts.findIndex((part) => part.includes('**'));
  return (any < 0 ? parts : parts.slice(0, any)).join('/');
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
