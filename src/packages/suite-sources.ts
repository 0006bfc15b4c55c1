import { readFileSync } from 'node:fs';
import { messageOf, redactUrl } from '../base/index.ts';
import type { AptConfig, AptLogin } from './apt-config.ts';
import type { AptSource, SignedBy } from './apt-sources.ts';
import { packagesError } from './errors.ts';

/** One suite of one archive that a base may take packages from. */
export interface SuiteSource {
  /** Mirrors of the same archive, the first preferred, without a slash at the end. */
  readonly uris: readonly string[];
  readonly suite: string;
  readonly role: 'release' | 'updates' | 'security';
  readonly components: readonly string[];
  readonly signedBy?: SignedBy | undefined;
  /** apt is told not to verify this source. */
  readonly trusted: boolean;
  readonly checkValidUntil: boolean;
  readonly checkDate: boolean;
  /** Guessed from what is configured for another suite, or from the mirror's name: left out when the mirror has no such suite. */
  readonly optional: boolean;
}

/** Codenames of Debian's releases, oldest first, then the names that move from one to the next. */
export const DEBIAN_SUITES: readonly string[] = [
  'buster',
  'bullseye',
  'bookworm',
  'trixie',
  'forky',
  'duke',
  'sid',
  'oldoldstable',
  'oldstable',
  'stable',
  'testing',
  'unstable',
  'experimental',
];

const SUFFIXES: readonly (readonly [string, SuiteSource['role']])[] = [
  ['-updates', 'updates'],
  ['-security', 'security'],
  ['/updates', 'security'],
];

/**
 * The sources that serve a suite, its updates and its security fixes: those that apt's configuration names for this suite; else those it names for another Debian release,
 * with the release exchanged; or those of the given mirror. Throws `MIRROR_UNKNOWN` when the configuration names no Debian archive.
 */
export function sourcesFor(
  suite: string,
  config: AptConfig,
  o: {
    components: readonly string[];
    mirror?: string | undefined;
    securityMirror?: string | undefined;
  },
): SuiteSource[] {
  const known = { ...o, config };
  if (o.mirror !== undefined) return ofMirror(suite, o.mirror, known);
  const all = config.sources.flatMap((source) =>
    source.suites.flatMap((name) => {
      const part = splitSuite(name);
      return part && source.components.includes('main') ? [{ source, ...part }] : [];
    }),
  );
  const sure = all.filter(({ source }) => isDebian(source));
  const named = sure.some(({ role }) => role === 'release')
    ? sure
    : all.filter(({ release }) => DEBIAN_SUITES.includes(release));
  const own = named.filter(({ release }) => release === suite);
  if (own.some(({ role }) => role === 'release'))
    return merged(own.map(({ source, role, name }) => sourceOf(source, { ...known, name, role, optional: false })));
  const model = named.find(({ role }) => role === 'release')?.release;
  if (model === undefined)
    throw packagesError(
      'MIRROR_UNKNOWN',
      `find a mirror for Debian "${suite}": the machine's apt configuration names no Debian archive`,
      { remedy: 'Name a mirror with --mirror URL, or in [bases] of strake.toml.' },
    );
  return merged(
    named
      .filter(({ release, role }) => release === model && (role === 'release' || hasSideSuites(suite)))
      .map(({ source, role }) =>
        sourceOf(source, { ...known, name: suiteName(suite, role), role, optional: role !== 'release' }),
      ),
  );
}

function ofMirror(
  suite: string,
  mirror: string,
  o: { config: AptConfig; components: readonly string[]; securityMirror?: string | undefined },
): SuiteSource[] {
  const uri = checkedUri(mirror);
  const like = (at: string): AptSource => ({
    ...o.config.sources.find((source) => source.uris.some((other) => withoutSlash(other) === at)),
    uris: [at],
    suites: [],
    components: o.components,
    file: '--mirror',
  });
  const sources = [sourceOf(like(uri), { ...o, name: suite, role: 'release', optional: false })];
  if (!hasSideSuites(suite)) return sources;
  sources.push(sourceOf(like(uri), { ...o, name: suiteName(suite, 'updates'), role: 'updates', optional: true }));
  const security = o.securityMirror === undefined ? sibling(uri) : checkedUri(o.securityMirror);
  if (security !== undefined)
    sources.push(
      sourceOf(like(security), {
        ...o,
        name: suiteName(suite, 'security'),
        role: 'security',
        optional: o.securityMirror === undefined,
      }),
    );
  return sources;
}

function sourceOf(
  source: AptSource,
  o: { config: AptConfig; components: readonly string[]; name: string; role: SuiteSource['role']; optional: boolean },
): SuiteSource {
  const { settings } = o.config;
  return {
    uris: source.uris.flatMap(expandUri),
    suite: o.name,
    role: o.role,
    components: o.components,
    ...(source.signedBy === undefined ? {} : { signedBy: source.signedBy }),
    trusted: source.trusted ?? false,
    checkValidUntil: source.checkValidUntil ?? settings.flag('acquire::check-valid-until') ?? true,
    checkDate: source.checkDate ?? settings.flag('acquire::check-date') ?? true,
    optional: o.optional,
  };
}

/** Entries for the same suite under different mirrors are one source with several mirrors. */
function merged(sources: readonly SuiteSource[]): SuiteSource[] {
  const bySuite = new Map<string, SuiteSource>();
  for (const source of sources) {
    const other = bySuite.get(source.suite);
    const uris = [...new Set([...(other?.uris ?? []), ...source.uris])];
    bySuite.set(source.suite, { ...(other ?? source), uris });
  }
  const order = ['release', 'updates', 'security'];
  return [...bySuite.values()].sort((a, b) => order.indexOf(a.role) - order.indexOf(b.role));
}

function splitSuite(name: string): { name: string; release: string; role: SuiteSource['role'] } | undefined {
  const clean = name.replace(/\/$/, '');
  for (const [suffix, role] of SUFFIXES)
    if (clean.endsWith(suffix)) return { name: clean, release: clean.slice(0, -suffix.length), role };
  return /[/-]/.test(clean) ? undefined : { name: clean, release: clean, role: 'release' };
}

/** Others also name their suites after Debian's releases: Debian's is what is signed by its keyring, or lies where mirrors have it. */
function isDebian(source: AptSource): boolean {
  return (
    source.signedBy?.files.some((file) => /\/debian-archive-[^/]*$/.test(file)) === true ||
    source.uris.some(
      (uri) => /\/debian(?:-security)?(?:\/\d{8}T\d{6}Z)?\/*$/.test(uri) || /^mirror\+file:.*debian/.test(uri),
    )
  );
}

function suiteName(release: string, role: SuiteSource['role']): string {
  if (role === 'release') return release;
  return role === 'security' && release === 'buster' ? `${release}/updates` : `${release}-${role}`;
}

function hasSideSuites(release: string): boolean {
  return !['sid', 'unstable', 'experimental'].includes(release);
}

/** Where a mirror that keeps Debian's layout has the security archive. */
function sibling(uri: string): string | undefined {
  const changed = uri.replace(/\/debian(?=\/|$)(?!.*\/debian(?=\/|$))/, '/debian-security');
  return changed === uri ? undefined : changed;
}

/** `mirror+file:` lists mirrors, one per line; any other address is itself. */
function expandUri(uri: string): string[] {
  const list = /^mirror\+file:(?:\/\/)?(\/.*)$/.exec(uri)?.[1];
  if (list === undefined) return [checkedUri(uri)];
  try {
    return readFileSync(list, 'utf8')
      .split('\n')
      .map((line) => line.replace(/#.*$/, '').trim().split(/\s+/)[0] ?? '')
      .filter((line) => line !== '')
      .map(checkedUri);
  } catch (error) {
    throw packagesError('MIRROR_UNKNOWN', `read the list of mirrors "${list}": ${messageOf(error)}`, { cause: error });
  }
}

function checkedUri(uri: string): string {
  const clean = withoutSlash(uri);
  let protocol: string;
  try {
    ({ protocol } = new URL(clean));
  } catch (error) {
    throw packagesError('MIRROR_UNSUPPORTED', `use the mirror "${clean}": not a URL`, {
      cause: error,
      remedy: 'Write the mirror as http://host/debian.',
    });
  }
  if (!['http:', 'https:', 'file:', 'copy:'].includes(protocol))
    throw packagesError(
      'MIRROR_UNSUPPORTED',
      `use the mirror "${redactUrl(clean)}": scheme "${protocol}" is not supported`,
      {
        remedy: 'Name a mirror of http, https or file with --mirror URL.',
      },
    );
  return withoutLogin(clean);
}

/** The address without user and password: those are found again by `mirrorLogins`. */
function withoutLogin(uri: string): string {
  return uri.replace(/^([a-z]+:\/\/)[^/@]*@/, '$1');
}

/** The logins for mirrors: those of apt's auth.conf, and those written into the addresses themselves. */
export function mirrorLogins(config: AptConfig, ...mirrors: readonly (string | undefined)[]): AptLogin[] {
  const uris = [...mirrors.filter((uri) => uri !== undefined), ...config.sources.flatMap(({ uris }) => uris)];
  const written = uris.flatMap((uri): AptLogin[] => {
    const match = /^(https?:\/\/)([^/@:]*)(?::([^/@]*))?@(.*)$/.exec(uri);
    if (!match) return [];
    const [, scheme = '', login = '', password = '', rest = ''] = match;
    return [
      {
        machine: scheme + withoutSlash(rest),
        login: decodeURIComponent(login),
        password: decodeURIComponent(password),
      },
    ];
  });
  return [...written, ...config.logins];
}

function withoutSlash(uri: string): string {
  return uri.replace(/\/+$/, '');
}
