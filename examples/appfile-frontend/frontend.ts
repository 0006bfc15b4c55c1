/** A frontend of BuildKit's: reads an Appfile, plans an image. The builder starts it for each build, and speaks with it on standard input and output. */
import {
  CodedError,
  formatPlatform,
  parseConfig,
  scratch,
  serveFrontend,
  sourceState,
  type Frontend,
  type FrontendHost,
  type FrontendRequest,
  type ImageConfig,
  type PlannedImage,
  type PlannedLayer,
  type SourcePlace,
  type State,
} from 'strake/buildkit';
import { LineCounter, parseDocument } from 'yaml';

interface Appfile {
  readonly from?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly copy?: readonly { readonly src: string; readonly to: string }[];
  readonly run?: readonly string[];
  readonly workdir?: string;
  readonly command?: readonly string[];
}

type Platform = FrontendRequest['platforms'][number];
type Network = 'default' | 'none' | 'host';

const KEYS = ['from', 'env', 'copy', 'run', 'workdir', 'command'];
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const appfile: Frontend = async (request, host, w) => {
  const filename = request.options['filename'] ?? 'Appfile';
  // What the asking side offers as "dockerfile" is the folder of the file; only this file of it is sent.
  const source = sourceState(
    { type: 'local', name: 'dockerfile', include: [filename] },
    { name: `[internal] load ${filename}`, internal: true },
  );
  const text = Buffer.from(await host.read(await host.solve(source, w), filename, w)).toString();
  const app = readAppfile(filename, text);
  if (!app.value.command)
    host.warn({ code: 'NoCommand', message: 'the image says not what is started in it', place: app.placeOf('from') });
  const results = new Map<string, PlannedImage>();
  // --network of whoever builds.
  const asked = request.options['force-network-mode'];
  const network = asked === 'none' || asked === 'host' ? asked : 'default';
  for (const platform of request.platforms)
    results.set(formatPlatform(platform), await planImage(app, platform, { host, network, ...w }));
  // More than one result, or a client that asks for an index.
  const many = results.size > 1 || request.options['multi-platform'] === 'true';
  return { results, metadata: new Map(many ? [['multi.platform', Buffer.from('true')]] : []) };
};

interface ReadAppfile {
  readonly value: Appfile;
  readonly placeOf: (...path: readonly (string | number)[]) => SourcePlace | undefined;
}

function readAppfile(file: string, text: string): ReadAppfile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const at = (offset: number): SourcePlace => {
    const { line } = lines.linePos(offset);
    return { file, line, text: text.split('\n')[line - 1] };
  };
  const wrong = (message: string, place: SourcePlace | undefined): CodedError =>
    new CodedError({ code: 'APPFILE_INVALID', kind: 'invalid', message: `read "${file}": ${message}`, place });
  const [fault] = document.errors;
  if (fault) throw wrong(fault.message.split('\n')[0] ?? '', at(fault.pos[0]));
  const placeOf = (...path: readonly (string | number)[]): SourcePlace | undefined => {
    const node = document.getIn(path, true) as { readonly range?: readonly number[] } | undefined;
    return node?.range?.[0] === undefined ? undefined : at(node.range[0]);
  };
  const value = document.toJS() as Appfile | null;
  if (value === null || typeof value !== 'object') throw wrong('it says nothing', at(0));
  const unknown = Object.keys(value).find((key) => !KEYS.includes(key));
  if (unknown !== undefined) throw wrong(`there is no key "${unknown}", only ${KEYS.join(', ')}`, placeOf(unknown));
  return { value, placeOf };
}

interface Base {
  readonly state: State;
  readonly config: ImageConfig;
  readonly layers: readonly PlannedLayer[];
}

async function baseOf(
  from: string,
  platform: Platform,
  { host, signal }: { readonly host: FrontendHost; readonly signal?: AbortSignal | undefined },
): Promise<Base> {
  const { os, architecture } = platform;
  if (from === 'scratch')
    return {
      state: scratch,
      config: { os, architecture, config: { Env: [PATH] }, rootfs: { type: 'layers', diff_ids: [] } },
      layers: [],
    };
  // Pinned by its digest, so that all steps see the same one.
  const reference = /^[^/]*[.:][^/]*\//.test(from) ? from : `docker.io/${from.includes('/') ? '' : 'library/'}${from}`;
  const tagged = /[:@][^/]*$/.test(reference) ? reference : `${reference}:latest`;
  const { source, config } = await host.resolve(
    { kind: 'source', source: { type: 'image', reference: tagged, platform, pull: 'missing' } },
    { signal },
  );
  const state = sourceState(source.source, { name: `from ${from}` });
  return { state, config: parseConfig(config ?? new Uint8Array()), layers: [{ kind: 'base', image: state }] };
}

async function planImage(
  { value, placeOf }: ReadAppfile,
  platform: Platform,
  o: { readonly host: FrontendHost; readonly network: Network; readonly signal?: AbortSignal | undefined },
): Promise<PlannedImage> {
  const { network } = o;
  const base = await baseOf(value.from ?? 'scratch', platform, o);
  const { config = {} } = base.config;
  const env = [...(config.Env ?? []), ...Object.entries(value.env ?? {}).map(([name, text]) => `${name}=${text}`)];
  const cwd = value.workdir ?? (config.WorkingDir || '/');
  const layers = [...base.layers];
  const history = [...(base.config.history ?? [])];
  let root = base.state;
  const step = (after: State, written: string): void => {
    layers.push({ kind: 'step', before: root, after, dialect: 'oci' });
    history.push({ created_by: written, comment: 'appfile' });
    root = after;
  };
  for (const [at, { src, to }] of (value.copy ?? []).entries()) {
    const name = `copy ${src} to ${to}`;
    const context = sourceState(
      { type: 'local', name: 'context', include: [src], follow: [src] },
      { name: `[internal] load ${src}`, internal: true },
    );
    const copy = { wildcard: true, parents: false, unpack: false, followDestination: true };
    const owner = { user: 0, group: 0 };
    step(
      root.copy(
        context,
        { ...copy, owner, sources: [`/${src}`], destination: to },
        { name, place: placeOf('copy', at) },
      ),
      name,
    );
  }
  for (const [at, line] of (value.run ?? []).entries()) {
    const name = `run ${line}`;
    const op = {
      args: ['/bin/sh', '-c', line],
      env,
      cwd,
      user: '',
      mounts: [{ type: 'bind' as const, target: '/', input: 0, readonly: false, output: 0 }],
      network,
      security: 'sandbox' as const,
      platform,
    };
    step(root.exec(op, [], { name, place: placeOf('run', at) }), name);
  }
  return {
    platform,
    layers,
    root,
    config: {
      ...base.config,
      config: {
        ...config,
        Env: env,
        WorkingDir: cwd,
        ...(value.command && { Cmd: value.command, Entrypoint: undefined }),
      },
      history,
    },
    baseHistory: base.config.history?.length ?? 0,
    attestations: [],
  };
}

await serveFrontend(appfile);
