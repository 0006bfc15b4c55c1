import { isDigest, type Digest, type Platform } from '../../blob/index.ts';
import { parseGitRef, type GitSource, type HttpSource } from '../../graph/index.ts';
import { canonicalReference, familiarReference, parseReference } from '../../image/index.ts';
import { dockerfileError } from './errors.ts';
import { gitSource, redactedRemote } from './git-source.ts';
import { fullPlatform } from './globals.ts';

/** What a name means that `--build-context` gave (facts 1.5). `label` stands before its steps. */
export type NamedContext = { readonly name: string; readonly label: string } & (
  | { readonly kind: 'scratch' }
  | { readonly kind: 'image'; readonly reference: string }
  | { readonly kind: 'layout'; readonly store: string; readonly digest: Digest }
  | { readonly kind: 'local'; readonly local: string }
  | { readonly kind: 'input'; readonly input: string }
  | { readonly kind: 'remote'; readonly source: GitSource | HttpSource }
);

/** The context given for a stage's or image's name on a platform; undefined when there is none. Throws `DOCKERFILE_CONTEXT` without a place. */
export function namedContext(
  contexts: ReadonlyMap<string, string>,
  name: string,
  platform: Platform,
): NamedContext | undefined {
  if (contexts.size === 0 || ['scratch', 'context'].includes(name.toLowerCase())) return undefined;
  const familiar = familiarReference(parseReference(name)).replace(/:latest$/, '');
  for (const key of [`${familiar}::${fullPlatform(platform)}`, familiar]) {
    const value = contexts.get(key);
    if (value !== undefined) return parseContext(key, value);
  }
  return undefined;
}

function parseContext(name: string, value: string): NamedContext {
  const colon = value.indexOf(':');
  const scheme = value.startsWith('git@') ? 'git' : value.slice(0, Math.max(0, colon));
  const rest = value.slice(colon + 1);
  const common = { name, label: `[context ${name}]` };
  switch (scheme) {
    case 'docker-image': {
      const reference = rest.replace(/^\/\//, '');
      if (reference === 'scratch') return { ...common, kind: 'scratch' };
      return { ...common, kind: 'image', reference: imageName(reference) };
    }
    case 'oci-layout':
      return { ...common, kind: 'layout', ...layoutOf(name, rest.replace(/^\/\//, '')) };
    case 'local':
      return { ...common, kind: 'local', local: rest };
    case 'input':
    case 'target':
      return { ...common, kind: 'input', input: rest };
    case 'git':
    case 'ssh':
    case 'file':
    case 'http':
    case 'https':
      return { ...common, ...remoteOf(name, value) };
    case '':
      throw dockerfileError('DOCKERFILE_CONTEXT', `invalid context specifier ${value} for ${name}`, {
        remedy: REMEDY,
      });
    default:
      if (parseGitRef(value) !== undefined) return { ...common, ...remoteOf(name, value) };
      throw dockerfileError('DOCKERFILE_CONTEXT', `unsupported context source ${scheme} for ${name}`, {
        remedy: REMEDY,
      });
  }
}

const REMEDY =
  'Give docker-image://name, oci-layout://store@sha256:…, a repository, an address of the web, or a folder.';

/** A repository, or one file of the web. */
function remoteOf(
  name: string,
  value: string,
): { readonly label: string; readonly kind: 'remote'; readonly source: GitSource | HttpSource } {
  const git = parseGitRef(value, { local: true });
  if (git !== undefined)
    return { kind: 'remote', label: `[internal] load git source ${redactedRemote(value)}`, source: gitSource(git) };
  if (!/^https?:/.test(value))
    throw dockerfileError('DOCKERFILE_CONTEXT', `invalid git context ${value} for ${name}`, { remedy: REMEDY });
  const label = `[context ${name}] ${redactedRemote(value)}`;
  return { kind: 'remote', label, source: { type: 'http', url: value } };
}

function layoutOf(name: string, text: string): { readonly store: string; readonly digest: Digest } {
  const at = text.lastIndexOf('@');
  const digest = text.slice(at + 1);
  if (at <= 0 || !isDigest(digest))
    throw dockerfileError('DOCKERFILE_CONTEXT', `oci-layout reference "${text}" for ${name} has no digest`, {
      remedy: 'Write oci-layout://store@sha256:… with the digest of the image in the layout.',
    });
  // A tag between store and digest says nothing that the digest does not.
  return { store: text.slice(0, at).replace(/:[A-Za-z0-9_][A-Za-z0-9_.-]*$/, ''), digest };
}

/** The one full spelling of an image's name; names of packages bases stay as they are, but for the tag. */
export function imageName(text: string): string {
  if (isPackagesName(text)) return canonicalReference(parseReference(text, { bare: true }));
  return canonicalReference(parseReference(text));
}

/** True for `packages.local/…`: a base made from packages. */
export function isPackagesName(text: string): boolean {
  return text.startsWith('packages.local/');
}
