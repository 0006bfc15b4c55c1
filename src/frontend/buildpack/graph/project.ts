import type { Wait } from '../../../base/index.ts';
import { scratch, sourceState, State } from '../../../graph/index.ts';
import { cleanPath } from '../../../tree/index.ts';
import type { FrontendHost } from '../../index.ts';
import { parseLocator, splitVersion } from '../distribution/index.ts';
import { buildpackError } from '../errors.ts';
import { whyNoFile } from '../model/entry-kind.ts';
import { appFilter, selectAppFiles } from '../project/app-files.ts';
import { parseProject, projectFor, type ProjectDescriptor, type ProjectModule } from '../project/project.ts';
import { DESCRIPTOR, type BuildpackOptions, type ModuleLocator } from './options.ts';
import { filesOf } from './ref-files.ts';

/** The context, all of it or what patterns name. */
export function contextState(include?: readonly string[]): State {
  const what = include ? include.join(', ') : 'build context';
  return sourceState({ type: 'local', name: 'context', include }, { name: `[internal] load ${what}`, internal: true });
}

/** The project descriptor of the context, if it has one, for the execution environment. Throws `CNB_FILE_INVALID`, also where another one is named and not there; what it says that nobody knows is a warning. */
export async function readProject(
  host: FrontendHost,
  options: BuildpackOptions,
  w: Wait,
): Promise<ProjectDescriptor | undefined> {
  const path = cleanPath(`/${options.descriptor}`);
  const only = [path.slice(1)];
  const source = sourceState(
    // Also what a link leads to.
    { type: 'local', name: 'context', include: only, follow: only },
    { name: `[internal] load ${only[0]}`, internal: true },
  );
  const files = await filesOf(host, source, w);
  const bytes = await files.read(path, w);
  const found = bytes ? undefined : await files.stat(path, w);
  if (found)
    throw buildpackError(
      'CNB_FILE_INVALID',
      `read project descriptor "${options.descriptor}": ${whyNoFile(found.type)}`,
      {
        remedy: 'Make it a file, or name another one with --descriptor.',
      },
    );
  if (!bytes && options.descriptor !== DESCRIPTOR)
    throw buildpackError(
      'CNB_FILE_INVALID',
      `read project descriptor "${options.descriptor}": the application has no such file`,
      {
        remedy: "Name a file of the application, by its path from the application's folder.",
      },
    );
  if (!bytes) return undefined;
  const { project, warnings } = parseProject(Buffer.from(bytes).toString(), options.descriptor);
  for (const message of warnings) host.warn({ code: 'PROJECT_WARNING', message });
  return projectFor(project, options.execEnv);
}

/** The options with what the descriptor says where they say nothing: a flag wins over the file. */
export async function withProject(
  host: FrontendHost,
  project: ProjectDescriptor | undefined,
  { options, ...w }: { readonly options: BuildpackOptions } & Wait,
): Promise<BuildpackOptions> {
  if (!project) return options;
  const folder = options.descriptor.includes('/')
    ? options.descriptor.slice(0, options.descriptor.lastIndexOf('/'))
    : '';
  const there = await pathsThere(host, [...project.group, ...project.pre, ...project.post], { folder, ...w });
  const locate = (modules: readonly ProjectModule[]): readonly ModuleLocator[] =>
    modules.map((module) => locatorOf(module, { folder, file: options.descriptor, there, brought: options.brought }));
  const or = (own: readonly ModuleLocator[], modules: readonly ProjectModule[]): readonly ModuleLocator[] =>
    own.length > 0 ? own : locate(modules);
  return {
    ...options,
    builder: options.builder ?? project.builder,
    env: new Map([...project.env.map(({ name, value }) => [name, value] as const), ...options.env]),
    buildpacks: or(options.buildpacks, project.group),
    preBuildpacks: or(options.preBuildpacks, project.pre),
    postBuildpacks: or(options.postBuildpacks, project.post),
  };
}

/** Which of the places that a descriptor names are folders of the context. */
async function pathsThere(
  host: FrontendHost,
  modules: readonly ProjectModule[],
  { folder, ...w }: { folder: string } & Wait,
): Promise<ReadonlySet<string>> {
  const named = modules.flatMap(({ uri }) => (uri === undefined || /^[a-z0-9+.-]+:/i.test(uri) ? [] : [uri]));
  if (named.length === 0) return new Set();
  const at = (uri: string): string => cleanPath(`/${folder}/${uri}`);
  const files = await filesOf(host, contextState(named.map((uri) => at(uri).slice(1))), w);
  const found = await Promise.all(named.map(async (uri) => ((await files.stat(at(uri), w)) ? [uri] : [])));
  return new Set(found.flat());
}

function locatorOf(
  module: ProjectModule,
  o: { folder: string; file: string; there: ReadonlySet<string>; brought: ReadonlyMap<string, string> },
): ModuleLocator {
  const { id, version, uri, script } = module;
  if (script !== undefined) return { type: 'inline', module };
  if (uri === undefined) return { type: 'name', text: version === undefined ? (id ?? '') : `${id}@${version}` };
  const own = /^(?:from=builder|urn:cnb:builder):(.+)$/.exec(uri)?.[1];
  if (own !== undefined) {
    const { id: name, version: wanted } = splitVersion(own);
    return { type: 'builder', id: name, version: wanted || undefined };
  }
  const reference = o.brought.get(uri);
  if (reference !== undefined) return { type: 'image', reference };
  const locator = parseLocator(uri, { exists: (path) => o.there.has(path) });
  switch (locator.kind) {
    case 'builder-order':
      return { type: 'order' };
    case 'path':
      return { type: 'context', path: cleanPath(`/${o.folder}/${locator.path}`) };
    case 'image':
      return { type: 'image', reference: locator.reference };
    default:
      throw buildpackError('CNB_OPTION_INVALID', `use buildpack "${uri}" of ${o.file}: nobody has brought it here`, {
        remedy: 'Name its image or folder.',
      });
  }
}

/** The files of the context that belong to the app: those that `include` or `exclude` of the descriptor leave, as git ignores. */
export async function appFiles(host: FrontendHost, project: ProjectDescriptor | undefined, w: Wait): Promise<State> {
  const context = contextState();
  const filter = project && appFilter(project);
  if (!filter) return context;
  const files = await filesOf(host, context, w);
  const { trees, entries, except } = await selectAppFiles('/', { files, filter, signal: w.signal });
  if (trees.length === 0 && entries.length === 0) return scratch;
  return State.files({ actions: [{ kind: 'pick', from: { input: 1 }, trees, entries, except }] }, [context], {
    name: '[app] choose the files of the project',
    group: 'app',
  });
}
