import { messageOf, type Wait } from '../base/index.ts';
import { isDigest } from '../blob/index.ts';
import type { FrontendHost, FrontendRequest } from '../frontend/index.ts';
import { sourceState, type Source, type State } from '../graph/index.ts';
import {
  canonicalReference,
  familiarReference,
  formatPlatform,
  parseConfig,
  parseReference,
  type RunConfig,
} from '../image/index.ts';
import { gatewayError } from './errors.ts';
import { frontendName } from './frontend-name.ts';

/** A frontend that is an image, or a tree that was given as one. */
export interface FrontendImage {
  /** As it was asked for. */
  readonly name: string;
  readonly state: State;
  readonly config: RunConfig;
}

const DEVEL = 'gateway-devel';

/** The image that option `source` names: of a registry or the store, pinned; of a named context; or with `gateway-devel` what another frontend builds. Throws `SOLVE_INVALID`. */
export async function findFrontend(request: FrontendRequest, host: FrontendHost, w: Wait = {}): Promise<FrontendImage> {
  const { options, buildPlatform: platform } = request;
  const name = options['source'] ?? '';
  if (name === '') throw gatewayError('SOLVE_INVALID', 'run a frontend: no source specified for gateway');
  if (options[DEVEL] !== undefined) return built(name, request, { host, ...w });
  const source = contextOf(request, name) ?? imageSource(name);
  if (typeof source === 'string') return given(name, source, host);
  const named = source.type === 'image' || source.type === 'oci-layout' ? { ...source, platform } : source;
  if (named.type !== 'image' && named.type !== 'oci-layout')
    return { name, state: sourceState(named, { name: `[frontend] ${name}` }), config: {} };
  const pull = options['image-resolve-mode'] === 'pull' ? 'always' : 'missing';
  const asked: Source = named.type === 'image' ? { ...named, pull } : named;
  const { source: op, config } = await host.resolve({ kind: 'source', source: asked }, w);
  return {
    name,
    state: sourceState(op.source, { name: `[frontend] ${name}` }),
    config: config ? (parseConfig(config).config ?? {}) : {},
  };
}

function imageSource(name: string): Source {
  try {
    const reference = canonicalReference(parseReference(name));
    return { type: 'image', reference, platform: { os: 'linux', architecture: 'amd64' }, pull: 'missing' };
  } catch (error) {
    throw gatewayError('SOLVE_INVALID', `run frontend "${name}": ${messageOf(error)}`, {
      cause: error,
      remedy: 'Name an image: [registry/]name[:tag|@digest].',
    });
  }
}

/** What a named context puts in the frontend's place (dockerui): a source, or the name of an input. */
function contextOf({ options, buildPlatform }: FrontendRequest, name: string): Source | string | undefined {
  if (!Object.keys(options).some((key) => key.startsWith('context:'))) return undefined;
  const familiar = familiarName(name);
  const value =
    options[`context:${familiar}::${formatPlatform(buildPlatform)}`] ?? options[`context:${familiar}`] ?? '';
  const [, scheme = '', rest = ''] = /^([a-z-]+):(?:\/\/)?(.*)$/.exec(value) ?? [];
  switch (scheme) {
    case '':
      return undefined;
    case 'docker-image':
      return imageSource(rest);
    case 'oci-layout': {
      const at = rest.lastIndexOf('@');
      const digest = rest.slice(at + 1);
      if (at > 0 && isDigest(digest)) {
        const store = rest.slice(0, at).replace(/:[A-Za-z0-9_][A-Za-z0-9_.-]*$/, '');
        return { type: 'oci-layout', store, digest, platform: buildPlatform };
      }
      break;
    }
    case 'local':
      return { type: 'local', name: rest };
    case 'input':
    case 'target':
      return rest;
    default:
  }
  throw gatewayError('SOLVE_INVALID', `run frontend "${name}": context "${value}" is no image`, {
    remedy: 'Give docker-image://name, oci-layout://store@sha256:… or a folder.',
  });
}

function familiarName(name: string): string {
  try {
    return familiarReference(parseReference(name)).replace(/:latest$/, '');
  } catch {
    return name;
  }
}

/** A tree of the asking side's. */
function given(name: string, input: string, host: FrontendHost): FrontendImage {
  const state = host.input(input);
  if (!state) throw gatewayError('SOLVE_INVALID', `run frontend "${name}": there is no input "${input}"`);
  return { name, state, config: host.inputImage?.(input)?.config.config ?? {} };
}

/** `gateway-devel`: the frontend is built by another one, from options that begin with "gateway-". */
async function built(
  name: string,
  request: FrontendRequest,
  { host, ...w }: { readonly host: FrontendHost } & Wait,
): Promise<FrontendImage> {
  const options = Object.fromEntries(
    Object.entries(request.options).flatMap(([key, value]) =>
      key.startsWith('gateway-') && key !== DEVEL ? [[key.slice('gateway-'.length), value]] : [],
    ),
  );
  const platforms = [request.buildPlatform];
  const { results } = await host.call(frontendName(name, options), { ...request, options, platforms }, w);
  const [image] = results.values();
  if (!image || results.size > 1)
    throw gatewayError('FRONTEND_FAILED', `build a frontend with "${name}": it made ${results.size} images, not one`);
  return { name: `built by ${name}`, state: image.root, config: image.config.config ?? {} };
}
