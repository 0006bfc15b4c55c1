import type { Digest, Platform } from '../blob/index.ts';
import { familiarReference, formatPlatform, normalizePlatform, parseReference } from '../image/index.ts';

/** A package URL: `pkg:TYPE/NAMESPACE/NAME@VERSION?QUALIFIERS` (package-url/purl-spec), qualifiers sorted, empty ones left out. */
export function purl(o: {
  readonly type: string;
  readonly namespace?: string | undefined;
  readonly name: string;
  readonly version?: string | undefined;
  readonly qualifiers?: Readonly<Record<string, string | undefined>> | undefined;
}): string {
  const namespace = (o.namespace ?? '').split('/').filter((part) => part !== '');
  const version = o.version === undefined || o.version === '' ? '' : `@${escaped(o.version)}`;
  const qualifiers = Object.entries(o.qualifiers ?? {})
    .filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '')
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${escaped(value)}`);
  const query = qualifiers.length > 0 ? `?${qualifiers.join('&')}` : '';
  return `pkg:${[o.type, ...namespace.map(escaped), escaped(o.name)].join('/')}${version}${query}`;
}

/** The package URL of an image by its name, as BuildKit writes it (util/purl/image.go): a tag is its version, a digest of the name a qualifier. */
export function imagePurl(
  type: 'docker' | 'oci',
  name: string,
  o: { readonly platform?: Platform | undefined; readonly digest?: Digest | undefined } = {},
): string {
  const { tag, digest: own, ...repository } = parseReference(name);
  const digest = o.digest ?? own;
  const short = familiarReference({ ...repository, tag: 'x' }).replace(/:x$/, '');
  const at = short.lastIndexOf('/');
  return purl({
    type,
    namespace: at < 0 ? undefined : short.slice(0, at),
    name: short.slice(at + 1),
    version: tag ?? (digest === undefined ? 'latest' : undefined),
    qualifiers: {
      digest,
      platform: o.platform && formatPlatform(normalizePlatform(o.platform)),
    },
  });
}

/** As packageurl-go escapes: ":" stays. */
function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}
