import { encodeToml, parseToml, type Wait } from '../../../base/index.ts';
import { configOf, type Image } from '../../../image/index.ts';
import { composeTree, type ComposeItem, type Entry, type FileTree } from '../../../tree/index.ts';
import { buildpackError } from '../errors.ts';
import { compareApi, LABELS, lifecycleApisOf, STRAKE_APIS, type LifecycleApis } from '../model/index.ts';
import { asObject, objectOf } from './labels.ts';
import { folderAt } from './module.ts';
import { treeOfLayer, type Workshop } from './workshop.ts';

/** What a builder has under `/cnb/lifecycle`, and what it can do. */
export interface Lifecycle {
  readonly version: string;
  readonly apis: LifecycleApis;
  /** The layer: `/cnb/lifecycle/*` and the link `/lifecycle`. */
  readonly tree: FileTree;
  /** Other platforms can call it. */
  readonly phases: boolean;
}

const PROGRAMS = ['analyzer', 'builder', 'creator', 'detector', 'exporter', 'launcher', 'restorer'];
const PHASES = ['analyzer', 'builder', 'creator', 'detector', 'exporter', 'extender', 'rebaser', 'restorer'];
const FOLDER = 'cnb/lifecycle';

/**
 * strake's own: a lifecycle.toml, the launcher that goes into app images, and, with `phases`, the programs. `phases` is a tree for `/cnb/lifecycle`, in which `lifecycle` is all of them by the name it is called by. strake itself
 * builds without them; other platforms cannot.
 */
export async function ownLifecycle(
  o: { version: string; launcher?: Uint8Array | undefined; phases?: FileTree | undefined } & Wait,
): Promise<Lifecycle> {
  const file = (name: string, mode: number, content: Uint8Array): ComposeItem => ({
    entry: { ...plainFile(`${FOLDER}/${name}`), mode, size: content.length },
    from: { content },
  });
  const toml = encodeToml({ apis: STRAKE_APIS, lifecycle: { version: o.version } });
  return {
    version: o.version,
    apis: STRAKE_APIS,
    phases: o.phases !== undefined,
    tree: composeTree([
      { entry: folderAt(FOLDER) },
      ...(o.launcher ? [file('launcher', 0o755, o.launcher)] : []),
      file('lifecycle.toml', 0o644, Buffer.from(toml)),
      ...(o.phases ? await phaseItems(o.phases, o) : []),
      ...composeLink(),
    ]),
  };
}

/** The same on every machine: owner, modes. */
async function phaseItems(tree: FileTree, w: Wait): Promise<readonly ComposeItem[]> {
  const items = (await tree.entries(w)).map((entry): ComposeItem => {
    const isProgram = entry.type === 'directory' || (entry.mode & 0o100) !== 0;
    return {
      entry: { ...entry, path: `${FOLDER}/${entry.path}`, mode: isProgram ? 0o755 : 0o644, uid: 0, gid: 0 },
      from: entry.type === 'file' ? { tree, entry } : undefined,
    };
  });
  const link = (name: string): ComposeItem => ({
    entry: { ...plainFile(`${FOLDER}/${name}`), type: 'symlink', mode: 0o777, link: 'lifecycle' },
  });
  return [...items, ...PHASES.map(link)];
}

/**
 * The lifecycle of a folder or archive as its releases have it: `lifecycle.toml`, and the programs in a folder beside it. Throws `CNB_LIFECYCLE_INVALID`.
 */
export async function lifecycleOfTree(tree: FileTree, o: { what: string } & Wait): Promise<Lifecycle> {
  const entries = await tree.entries(o);
  const toml = entries.find(({ path, type }) => path === 'lifecycle.toml' && type === 'file');
  if (!toml) throw invalid(o.what, 'there is no lifecycle.toml in it');
  const chunks: Uint8Array[] = [];
  for await (const chunk of tree.read([toml], o)) chunks.push(chunk.slice());
  const described = parseLifecycleToml(Buffer.concat(chunks).toString(), `${o.what}/lifecycle.toml`);
  const items: ComposeItem[] = [{ entry: folderAt(FOLDER) }, ...composeLink()];
  const names = new Set<string>();
  for (const entry of entries) {
    const name = /^[^/]+\/([^/]+)$/.exec(entry.path)?.[1];
    if (name === undefined || (entry.type !== 'file' && entry.type !== 'symlink' && entry.type !== 'hardlink'))
      continue;
    names.add(name);
    const link = entry.type === 'hardlink' ? `${FOLDER}/${(entry.link ?? '').split('/').at(-1) ?? ''}` : entry.link;
    items.push({
      entry: { ...entry, path: `${FOLDER}/${name}`, uid: 0, gid: 0, link },
      from: entry.type === 'file' ? { tree, entry } : undefined,
    });
  }
  const missing = PROGRAMS.find((name) => !names.has(name) && !names.has(`${name}.exe`));
  if (missing !== undefined) throw invalid(o.what, `there is no program "${missing}" in it`);
  return { ...described, phases: true, tree: composeTree(items) };
}

/** The lifecycle of an image: what is under `/cnb` of its upmost layer that has it. Throws `CNB_LIFECYCLE_INVALID`. */
export async function lifecycleOfImage(image: Image, o: { what: string; shop: Workshop } & Wait): Promise<Lifecycle> {
  for (const layer of (await image.layers(o)).toReversed()) {
    const tree = await treeOfLayer(layer, o);
    const below = (await tree.entries(o)).filter(({ path }) => path.startsWith('cnb/'));
    if (!below.some(({ path }) => path === 'cnb/lifecycle.toml')) continue;
    const items = below.map((entry): ComposeItem => ({
      entry: {
        ...entry,
        path: entry.path.slice('cnb/'.length),
        ...(entry.type === 'hardlink' ? { link: (entry.link ?? '').slice('cnb/'.length) } : {}),
      },
      from: entry.type === 'file' ? { tree, entry } : undefined,
    }));
    return lifecycleOfTree(composeTree(items), o);
  }
  const labels = (await configOf(image, o)).config?.Labels ?? {};
  throw invalid(
    o.what,
    labels[LABELS.lifecycleApis] === undefined ? 'it is no lifecycle image' : 'no layer of it has /cnb/lifecycle.toml',
  );
}

/** `lifecycle.toml`: `[lifecycle] version`, `[apis]`, or the older `[api]`. Throws `CNB_LIFECYCLE_INVALID`, `INVALID_TOML`. */
export function parseLifecycleToml(text: string, file: string): { version: string; apis: LifecycleApis } {
  const root = parseToml(text, file) as {
    lifecycle?: { version?: unknown };
    api?: { buildpack?: unknown; platform?: unknown };
    apis?: unknown;
  };
  const version = root.lifecycle?.version;
  if (typeof version !== 'string' || version === '') throw invalid(file, 'it says no version');
  const apis = lifecycleApisOf(root.apis);
  if (apis && (apis.buildpack.supported.length > 0 || apis.platform.supported.length > 0)) return { version, apis };
  const { buildpack, platform } = root.api ?? {};
  if (typeof buildpack !== 'string' || typeof platform !== 'string') throw invalid(file, 'it says no APIs');
  return {
    version,
    apis: {
      buildpack: { deprecated: [], supported: [buildpack] },
      platform: { deprecated: [], supported: [platform] },
    },
  };
}

/** The member `lifecycle` of a builder's metadata. `api` has the oldest of each, for tools that know no better. */
export function lifecycleJson({ version, apis }: Pick<Lifecycle, 'version' | 'apis'>): unknown {
  const oldest = ({ deprecated, supported }: LifecycleApis['buildpack']): string | undefined =>
    [...deprecated, ...supported].toSorted(compareApi)[0];
  return { version, api: { buildpack: oldest(apis.buildpack), platform: oldest(apis.platform) }, apis };
}

/** What a builder's metadata says of its lifecycle; undefined where it has none. */
export function lifecycleOfMetadata(text: string): Pick<Lifecycle, 'version' | 'apis'> | undefined {
  const { lifecycle } = objectOf(text, LABELS.builderMetadata);
  if (lifecycle === undefined || lifecycle === null) return undefined;
  const { version, apis, api } = asObject(lifecycle, LABELS.builderMetadata);
  const known = lifecycleApisOf(apis);
  const { buildpack, platform } = (api ?? {}) as { buildpack?: string; platform?: string };
  const fallback: LifecycleApis = {
    buildpack: { deprecated: [], supported: buildpack === undefined ? [] : [buildpack] },
    platform: { deprecated: [], supported: platform === undefined ? [] : [platform] },
  };
  return { version: typeof version === 'string' ? version : '', apis: known ?? fallback };
}

function composeLink(): readonly ComposeItem[] {
  const link: Entry = { ...plainFile('lifecycle'), type: 'symlink', link: '/cnb/lifecycle' };
  return [{ entry: link }];
}

function plainFile(path: string): Entry {
  return { path, type: 'file', mode: 0o644, uid: 0, gid: 0, size: 0, mtime: 0, mtimeNs: 0 };
}

function invalid(what: string, detail: string): Error {
  return buildpackError('CNB_LIFECYCLE_INVALID', `read lifecycle "${what}": ${detail}`, {
    remedy: 'Name a folder or .tgz of a lifecycle release, or docker://IMAGE of one.',
  });
}
