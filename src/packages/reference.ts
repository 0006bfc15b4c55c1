import { packagesError } from './errors.ts';

/** `minbase`: the essential packages, those of priority required, and apt. `slim`: the same without documentation, manual pages and translations. */
export type BaseVariant = 'minbase' | 'slim';

/** Which base is wanted. */
export interface BaseRequest {
  readonly distribution: 'debian';
  readonly suite: string;
  readonly variant: BaseVariant;
  /** Wanted on top: `name` or `name=version`. */
  readonly packages: readonly string[];
  readonly components: readonly string[];
  /** Used instead of what apt's configuration names. */
  readonly mirror?: string | undefined;
  readonly securityMirror?: string | undefined;
}

/** The registry name that stands for bases made here from packages. */
export const PACKAGES_HOST = 'packages.local';

const RELEASE_NUMBERS: Readonly<Record<string, string>> = {
  '10': 'buster',
  '11': 'bullseye',
  '12': 'bookworm',
  '13': 'trixie',
  '14': 'forky',
  '15': 'duke',
  latest: 'stable',
};

/** True for a reference whose image is made from packages. */
export function isBaseReference(reference: string): boolean {
  return reference.startsWith(`${PACKAGES_HOST}/`);
}

/**
 * The base that `packages.local/debian[:suite[-variant]]` means, or that strake.toml names: `packages.local/<name>`. A suite is a codename, a name such as `stable`, or a release number as Docker's
 * tags have it; none and `latest` are `stable`. Throws `REFERENCE_INVALID`.
 */
export function parseBaseReference(
  reference: string,
  bases: ReadonlyMap<string, BaseRequest> = new Map(),
): BaseRequest {
  const match = /^packages\.local\/([a-z0-9][a-z0-9._-]*)(?::([A-Za-z0-9_][A-Za-z0-9._-]*))?$/.exec(reference);
  if (!match?.[1])
    throw packagesError(
      'REFERENCE_INVALID',
      `read the base "${reference}": not of the form ${PACKAGES_HOST}/debian:<suite>`,
      {
        remedy: `Write ${PACKAGES_HOST}/debian:bookworm, ${PACKAGES_HOST}/debian:bookworm-slim, or a name of [bases] in strake.toml.`,
      },
    );
  const [, name, tag] = match;
  const named = bases.get(name);
  if (named && tag === undefined) return named;
  if (name !== 'debian')
    throw packagesError('REFERENCE_INVALID', `read the base "${reference}": there is no base "${name}"`, {
      remedy:
        bases.size === 0
          ? `Add [bases.${name}] to strake.toml, or write ${PACKAGES_HOST}/debian:<suite>.`
          : `Use ${['debian', ...bases.keys()].join(', ')}, or add [bases.${name}] to strake.toml.`,
    });
  return { ...suiteAndVariant(tag ?? 'latest'), distribution: 'debian', packages: [], components: ['main'] };
}

/** Splits `bookworm-slim`. What is no variant belongs to the suite. */
export function suiteAndVariant(tag: string): { suite: string; variant: BaseVariant } {
  const variant = /-(slim|minbase)$/.exec(tag)?.[1] as BaseVariant | undefined;
  const suite = variant === undefined ? tag : tag.slice(0, -variant.length - 1);
  return { suite: RELEASE_NUMBERS[suite] ?? suite, variant: variant ?? 'minbase' };
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  '386': 'i386',
  arm: 'armhf',
  'arm/v5': 'armel',
  'arm/v6': 'armel',
  'arm/v7': 'armhf',
  ppc64le: 'ppc64el',
  mips64le: 'mips64el',
};

/** Debian's name of an image platform's architecture. */
export function debianArchitecture(platform: {
  readonly architecture: string;
  readonly variant?: string | undefined;
}): string {
  const { architecture, variant } = platform;
  return ARCHITECTURES[`${architecture}/${variant}`] ?? ARCHITECTURES[architecture] ?? architecture;
}
