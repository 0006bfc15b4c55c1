import { parseReference } from '../../../image/index.ts';
import { buildpackError } from '../errors.ts';

/** What a text that names buildpacks means. */
export type Locator =
  /** The builder's own order, at this place. */
  | { readonly kind: 'builder-order' }
  /** One that the builder has. */
  | { readonly kind: 'builder'; readonly id: string; readonly version: string }
  | { readonly kind: 'registry'; readonly namespace: string; readonly name: string; readonly version: string }
  /** A folder or archive of this machine, as it was written. */
  | { readonly kind: 'path'; readonly path: string }
  | { readonly kind: 'url'; readonly url: string }
  /** An image: a reference. */
  | { readonly kind: 'image'; readonly reference: string };

const SEMVER = String.raw`(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?`;
const REGISTRY = new RegExp(String.raw`^([a-z0-9.-]+)/([a-z0-9.-]+)(?:@(${SEMVER}))?$`);

/**
 * Reads the name of buildpacks as pack does: `from=builder`, `urn:cnb:builder:ID[@V]`, `urn:cnb:registry:NS/NAME[@V]`, a URI (`file:`, `http(s):`, `docker://`), then, tried in this order: a path that is there, an id that the builder has, a name of
 * the registry, the reference of an image. Throws `CNB_LOCATOR_INVALID`.
 */
export function parseLocator(
  text: string,
  o: {
    /** Whether there is a file or folder at a path. */
    exists: (path: string) => boolean;
    /** What the builder has. */
    builder?: readonly { readonly id: string; readonly version: string }[] | undefined;
  },
): Locator {
  const bad = (detail: string): Error =>
    buildpackError('CNB_LOCATOR_INVALID', `read buildpack "${text}": ${detail}`, {
      remedy:
        'Name a folder, a .tgz or .cnb file, an http(s) URL, docker://IMAGE, urn:cnb:registry:NAMESPACE/NAME@VERSION, or ID@VERSION of the builder.',
    });
  if (text === '') throw bad('it is empty');
  if (text === 'from=builder' || text === 'urn:cnb:builder') return { kind: 'builder-order' };
  const own = /^(?:urn:cnb:builder|from=builder):(.*)$/s.exec(text)?.[1];
  if (own !== undefined) {
    const { id, version } = splitVersion(own);
    if (!has(o.builder, id, version)) throw bad('the builder has no such buildpack');
    return { kind: 'builder', id, version };
  }
  const listed = /^urn:cnb:registry:(.*)$/s.exec(text)?.[1];
  if (listed !== undefined) {
    const { id, version } = splitVersion(listed);
    const [namespace = '', name = '', ...more] = id.split('/');
    if (namespace === '' || name === '' || more.length > 0) throw bad('a name of a registry is NAMESPACE/NAME');
    return { kind: 'registry', namespace, name, version };
  }
  if (text.startsWith('urn:')) throw bad('no such URN');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):\/{1,3}/.exec(text)?.[1]?.toLowerCase();
  if (scheme === 'docker') return { kind: 'image', reference: checked(text.replace(/^docker:\/{1,2}/i, ''), bad) };
  if (scheme === 'http' || scheme === 'https') return { kind: 'url', url: text };
  if (scheme === 'file') return { kind: 'path', path: fileUrlPath(text, bad) };
  if (scheme !== undefined) throw bad(`the scheme "${scheme}" is not known`);
  if (o.exists(text)) return { kind: 'path', path: text };
  if (/^(?:\.{0,2}|~)\//.test(text)) throw bad('there is no such file or folder');
  const { id, version } = splitVersion(text);
  if (has(o.builder, id, version)) return { kind: 'builder', id, version };
  const match = REGISTRY.exec(text);
  if (match) return { kind: 'registry', namespace: match[1] ?? '', name: match[2] ?? '', version: match[3] ?? '' };
  return { kind: 'image', reference: checked(text, bad) };
}

/** `ID@VERSION`; the version is empty where none is said. */
export function splitVersion(text: string): { readonly id: string; readonly version: string } {
  const at = text.lastIndexOf('@');
  return at < 0 ? { id: text, version: '' } : { id: text.slice(0, at), version: text.slice(at + 1) };
}

function has(
  builder: readonly { readonly id: string; readonly version: string }[] | undefined,
  id: string,
  version: string,
): boolean {
  return builder?.some((one) => one.id === id && (version === '' || one.version === version)) ?? false;
}

function checked(reference: string, bad: (detail: string) => Error): string {
  try {
    parseReference(reference);
    return reference;
  } catch {
    throw bad('there is no such file or folder, and no image can be called so');
  }
}

function fileUrlPath(url: string, bad: (detail: string) => Error): string {
  try {
    const { host, pathname } = new URL(url);
    // "file://dir" is taken for what is meant: a path.
    return host === '' ? decodeURIComponent(pathname) : decodeURIComponent(url.slice('file://'.length));
  } catch {
    throw bad('it is no file URL');
  }
}
