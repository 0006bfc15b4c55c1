import type { FrontendRequest } from '../../index.ts';
import { buildpackError } from '../errors.ts';
import type { ProjectModule } from '../project/project.ts';

/** What a build by buildpacks was asked for. */
export interface BuildpackOptions {
  /** The builder's image; absent: the embedded one. */
  readonly builder?: string | undefined;
  /** Of whoever asks, where nobody names one. */
  readonly defaultBuilder?: string | undefined;
  readonly runImage?: string | undefined;
  /** Canonical; the image before is looked for under it. */
  readonly image?: string | undefined;
  readonly previousImage?: string | undefined;
  /** Images are looked for in registries alone, as the result goes there. */
  readonly publish: boolean;
  readonly pull: 'missing' | 'always' | 'never';
  /** Variables of the platform, by name. */
  readonly env: ReadonlyMap<string, string>;
  readonly execEnv: string;
  /** Of the asking side: given to steps, no part of what they are. */
  readonly proxies: ReadonlyMap<string, string>;
  readonly defaultProcess?: string | undefined;
  readonly appDir: string;
  readonly network: 'default' | 'none' | 'host';
  /** Where the build cache is kept: the local store or a registry; absent: nowhere. */
  readonly cache?: { readonly to: 'store' | 'registry'; readonly name: string } | undefined;
  readonly clearCache: boolean;
  /** The builder's own buildpacks around every group take part. */
  readonly systemBuildpacks: boolean;
  /** `detect`: the answer is the group and the plan, and nothing is built. */
  readonly question?: 'detect' | undefined;
  /** Steps of buildpacks and of extensions run anew. */
  readonly noCache: boolean;
  /** Given to Dockerfiles of extensions, which may use it to be run anew. */
  readonly buildId: string;
  readonly stepCache: 'auto' | 'on' | 'off';
  readonly buildpacks: readonly ModuleLocator[];
  readonly preBuildpacks: readonly ModuleLocator[];
  readonly postBuildpacks: readonly ModuleLocator[];
  readonly extensions: readonly ModuleLocator[];
  /** Images of what the descriptor names and a build does not find by itself, by the uri that it writes. */
  readonly brought: ReadonlyMap<string, string>;
  /** Where the context's descriptor is. */
  readonly descriptor: string;
  /** Secrets, each for one buildpack or for all. */
  readonly secrets: readonly { readonly id: string; readonly buildpack?: string | undefined }[];
  /** Folders that the asking side offers, by where bin/detect and bin/build find them, to read. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Service bindings, each with the names of its files. The files are secrets of the ids `binding:NAME/FILE`. */
  readonly bindings: ReadonlyMap<string, readonly string[]>;
}

/** The project descriptor that is looked for where none is named. */
export const DESCRIPTOR = 'project.toml';

/** Where a buildpack or extension comes from. */
export type ModuleLocator =
  /** One that the builder has. */
  | { readonly type: 'builder'; readonly id: string; readonly version?: string | undefined }
  /** `id[@version]` of one that the builder has, else a buildpackage's image. */
  | { readonly type: 'name'; readonly text: string }
  /** The builder's whole order, in this place. */
  | { readonly type: 'order' }
  /** A folder that the asking side offers under this name. */
  | { readonly type: 'local'; readonly name: string }
  /** A folder of the context. */
  | { readonly type: 'context'; readonly path: string }
  /** A script of the project descriptor. */
  | { readonly type: 'inline'; readonly module: ProjectModule }
  /** A buildpackage in a registry or the store. */
  | { readonly type: 'image'; readonly reference: string };

/** The frontend's options, by name: `builder`, `default-builder`, `run-image`, `image`, `previous-image`, `publish`, `pull`, `env:NAME`, `proxy:NAME`, `exec-env`, `default-process`, `workspace`, `network`, `no-cache`, `build-id`, `cache-store`, `cache-registry`, `clear-cache`, `step-cache`, `buildpacks`, `pre-buildpacks`, `post-buildpacks`, `extensions` (JSON lists of `ModuleLocator`), `descriptor`, `secrets` (`id[=buildpack]`, with commas), `binding:NAME` (file names, with commas), `module:URI` (the image of what the descriptor names so), `volume:TARGET` (name of a folder of the asking side), `no-system-buildpacks`, `requestid` (`buildpack.detect`). Throws `CNB_OPTION_INVALID`. */
export function readOptions({ options }: FrontendRequest): BuildpackOptions {
  const publish = options['publish'] !== undefined;
  const bindings = new Map([...withPrefix(options, 'binding:')].map(([name, files]) => [name, words(files)]));
  const cache = options['cache-registry'] ?? options['cache-store'];
  return {
    brought: withPrefix(options, 'module:'),
    volumes: withPrefix(options, 'volume:'),
    builder: options['builder'],
    defaultBuilder: options['default-builder'],
    runImage: options['run-image'],
    image: options['image'],
    previousImage: options['previous-image'],
    publish,
    pull: oneOf('pull', options['pull'] ?? 'missing', ['missing', 'always', 'never']),
    env: withPrefix(options, 'env:'),
    execEnv: execEnvOf(options['exec-env'] ?? 'production'),
    proxies: withPrefix(options, 'proxy:'),
    defaultProcess: options['default-process'],
    appDir: appDirOf(options['workspace'] ?? '/workspace'),
    network: oneOf('network', options['network'] ?? 'default', ['default', 'none', 'host']),
    cache:
      cache === undefined
        ? undefined
        : { to: options['cache-registry'] === undefined ? 'store' : 'registry', name: cache },
    clearCache: options['clear-cache'] !== undefined,
    systemBuildpacks: options['no-system-buildpacks'] === undefined,
    question: questionOf(options['requestid']),
    noCache: options['no-cache'] !== undefined,
    buildId: options['build-id'] ?? '',
    stepCache: oneOf('step-cache', options['step-cache'] ?? 'auto', ['auto', 'on', 'off']),
    buildpacks: locators(options['buildpacks']),
    preBuildpacks: locators(options['pre-buildpacks']),
    postBuildpacks: locators(options['post-buildpacks']),
    extensions: locators(options['extensions']),
    descriptor: options['descriptor'] ?? DESCRIPTOR,
    secrets: words(options['secrets']).map((word) => {
      const [id = '', buildpack] = word.split('=');
      if (id === '' || id.split('/').some(isNoName))
        throw buildpackError('CNB_OPTION_INVALID', `give secret "${id}": its id names no file below /run/secrets`, {
          remedy: 'Use an id of letters, digits, "-", "_" and ".".',
        });
      return { id, buildpack };
    }),
    bindings,
  };
}

function withPrefix(options: Readonly<Record<string, string>>, prefix: string): Map<string, string> {
  const found = Object.entries(options).filter(([key]) => key.startsWith(prefix));
  return new Map(found.map(([key, value]) => [key.slice(prefix.length), value]));
}

function isNoName(text: string): boolean {
  return text === '' || text === '.' || text === '..';
}

/** Folders that buildpacks find something else in, or that the steps have for themselves. */
const TAKEN = [
  '/cnb',
  '/dev',
  '/layers',
  '/platform',
  '/proc',
  '/run/secrets',
  '/sys',
  '/tmp/cnb-build',
  '/tmp/cnb-detect',
];

/** As buildpacks shall see it: absolute, without "." and "..". */
function appDirOf(text: string): string {
  const path = text.replace(/(?<=[^/])\/+$/, '');
  const lies = (at: string, folder: string): boolean => at === folder || at.startsWith(`${folder}/`);
  const isPlain = path.startsWith('/') && !path.slice(1).split('/').some(isNoName);
  const taken = TAKEN.find((folder) => lies(path, folder) || lies(folder, path));
  if (isPlain && taken === undefined) return path;
  throw buildpackError(
    'CNB_OPTION_INVALID',
    `put the application into "${text}": ${isPlain ? `"${taken}" is there for something else` : 'it is no plain absolute path below the root'}`,
    { remedy: 'Name a folder such as /workspace or /app.' },
  );
}

function words(text = ''): string[] {
  return text.split(',').filter((word) => word !== '');
}

function locators(text = '[]'): readonly ModuleLocator[] {
  return JSON.parse(text) as readonly ModuleLocator[];
}

function questionOf(text: string | undefined): 'detect' | undefined {
  return text === undefined ? undefined : oneOf('requestid', text, ['buildpack.detect']) && 'detect';
}

function execEnvOf(text: string): string {
  if (/^[a-zA-Z0-9.-]+$/.test(text)) return text;
  throw buildpackError(
    'CNB_OPTION_INVALID',
    `read execution environment "${text}": it may hold letters, digits, "." and "-"`,
    {
      remedy: 'Use production, test, development, or a name of your own.',
    },
  );
}

function oneOf<const T extends string>(name: string, text: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw buildpackError('CNB_OPTION_INVALID', `read option "${name}": "${text}" is none of ${choices.join(', ')}`);
}
