import { collect, redactUrl, type Clock, type Random, type Wait } from '../base/index.ts';
import { digestOf, type Digest } from '../blob/index.ts';
import { foldedLines, parseStanza } from './deb822.ts';
import { packagesError } from './errors.ts';
import { keyringFor, type Keyring } from './keyring.ts';
import type { AptConfig } from './apt-config.ts';
import { fetchFrom, isThere, type MirrorAccess } from './mirror.ts';
import { verifySignature } from './signature.ts';
import { DEBIAN_SUITES, type SuiteSource } from './suite-sources.ts';

/** A file that a Release file names: `path` relative to the suite's folder. */
export interface ReleaseFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** A suite's Release file whose signature and dates hold. */
export interface Release {
  readonly source: SuiteSource;
  /** The mirror it came from. */
  readonly uri: string;
  readonly suite: string;
  readonly codename: string;
  /** Seconds since the epoch. */
  readonly date: number;
  readonly validUntil?: number | undefined;
  /** Of the file as it came. */
  readonly digest: Digest;
  /** Fingerprints of the keys that signed it; none when apt is told to trust this source as it is. */
  readonly signers: readonly string[];
  readonly keyring: Keyring | undefined;
  readonly architectures: readonly string[];
  readonly components: readonly string[];
  readonly byHash: boolean;
  /** arch:all packages stand in an index of their own, not in each architecture's. */
  readonly hasAllIndex: boolean;
  readonly files: ReadonlyMap<string, ReleaseFile>;
}

export interface ReleaseOptions extends MirrorAccess, Wait {
  readonly config: AptConfig;
  readonly keyring?: string | undefined;
  readonly debianKeyrings?: readonly string[] | undefined;
  readonly verifier?: string | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly scratch: string;
}

const LIMIT = 64 << 20;

/**
 * Fetches, verifies and reads the Release file of a source (InRelease, else Release with Release.gpg); undefined when the source is optional and its mirror has no such suite. Throws `SUITE_UNKNOWN`, `SIGNATURE_BAD`, `RELEASE_EXPIRED`,
 * `RELEASE_FROM_FUTURE`, `RELEASE_MISMATCH`, `RELEASE_INVALID` and what `fetchFrom` throws.
 */
export async function fetchRelease(source: SuiteSource, o: ReleaseOptions): Promise<Release | undefined> {
  let failure: unknown;
  for (const uri of source.uris) {
    try {
      const found = await fromMirror(source, uri, o);
      if (found) return found;
    } catch (error) {
      if (o.signal?.aborted) throw error;
      failure ??= error;
    }
  }
  if (failure !== undefined) throw failure;
  if (source.optional) return undefined;
  throw await unknownSuite(source, o);
}

async function fromMirror(source: SuiteSource, uri: string, o: ReleaseOptions): Promise<Release | undefined> {
  const base = `${uri}/dists/${source.suite}`;
  const what = `"${redactUrl(`${base}/InRelease`)}"`;
  const get = async (name: string): Promise<Uint8Array | undefined> => {
    const content = await fetchFrom(`${base}/${name}`, o);
    return content && collect(content, { limit: LIMIT, what: redactUrl(`${base}/${name}`) });
  };
  const message = await get('InRelease');
  if (source.trusted) {
    const text = message ?? (await get('Release'));
    return text && checked({ source, uri, keyring: undefined, signers: [], file: text, text: unsigned(text) }, o);
  }
  const keyring = keyringFor(source, o.config, o);
  const options = { ...o, keyring, what };
  if (message) {
    const verified = await verifySignature({ message }, options);
    return checked(
      { source, uri, keyring, signers: verified.signers, file: message, text: verified.text.toString() },
      o,
    );
  }
  const text = await get('Release');
  if (!text) return undefined;
  const signature = await get('Release.gpg');
  if (!signature)
    throw packagesError('SIGNATURE_BAD', `verify "${redactUrl(`${base}/Release`)}": the suite is not signed`, {
      remedy: "Use a signed mirror, or say [trusted=yes] for it in apt's sources if you must.",
    });
  const verified = await verifySignature({ text, signature }, options);
  return checked({ source, uri, keyring, signers: verified.signers, file: text, text: verified.text.toString() }, o);
}

/** Reads a Release text and holds its dates and names against the rules (Debian wiki, DebianRepository/Format). */
function checked(
  from: {
    source: SuiteSource;
    uri: string;
    keyring: Keyring | undefined;
    signers: readonly string[];
    file: Uint8Array;
    text: string;
  },
  o: { clock: Clock; config: AptConfig },
): Release {
  const { source, uri } = from;
  const what = `"${redactUrl(`${uri}/dists/${source.suite}`)}"`;
  const fields = parseStanza(from.text);
  const suite = fields.get('suite') ?? '';
  const codename = fields.get('codename') ?? '';
  const date = seconds(fields.get('date'));
  const files = new Map<string, ReleaseFile>();
  for (const line of foldedLines(fields.get('sha256'))) {
    const [sha256 = '', size = '', path = ''] = line.split(/\s+/);
    if (/^[0-9a-f]{64}$/.test(sha256) && /^\d+$/.test(size) && path !== '')
      files.set(path, { path, size: Number(size), sha256 });
  }
  if (date === undefined || files.size === 0)
    throw packagesError(
      'RELEASE_INVALID',
      `read the Release file of ${what}: it has no ${date === undefined ? 'Date' : 'SHA256'}`,
    );
  if (![suite, codename].includes(source.suite) && !sameSecuritySuite(source.suite, [suite, codename]))
    throw packagesError(
      'RELEASE_MISMATCH',
      `read the Release file of ${what}: it is of suite "${suite}", codename "${codename}"`,
    );
  const now = o.clock.now() / 1000;
  const future = o.config.settings.number('acquire::max-futuretime') ?? 10;
  if (source.checkDate && date - now > future)
    throw packagesError(
      'RELEASE_FROM_FUTURE',
      `read the Release file of ${what}: it is of ${fields.get('date')}, which is in the future`,
      {
        remedy: 'Set the clock of this machine.',
      },
    );
  const validUntil = seconds(fields.get('valid-until'));
  const maximum = o.config.settings.number('acquire::max-validtime');
  const limit = maximum === undefined || maximum <= 0 ? validUntil : Math.min(validUntil ?? Infinity, date + maximum);
  if (source.checkValidUntil && limit !== undefined && now > limit)
    throw packagesError(
      'RELEASE_EXPIRED',
      `read the Release file of ${what}: it was valid until ${new Date(limit * 1000).toUTCString()}`,
      {
        remedy:
          'Name a mirror that is up to date; for a snapshot say check-valid-until=no in apt\'s sources or Acquire::Check-Valid-Until "false" in its configuration.',
      },
    );
  return {
    source,
    uri,
    suite,
    codename,
    date,
    validUntil,
    files,
    digest: digestOf(from.file),
    signers: from.signers,
    keyring: from.keyring,
    architectures: words(fields.get('architectures')),
    components: words(fields.get('components')),
    byHash: fields.get('acquire-by-hash')?.toLowerCase() === 'yes',
    hasAllIndex:
      words(fields.get('architectures')).includes('all') &&
      !/\bPackages\b/i.test(fields.get('no-support-for-architecture-all') ?? ''),
  };
}

/** Up to buster, `<release>/updates` called itself by the release alone. */
function sameSecuritySuite(asked: string, names: readonly string[]): boolean {
  return asked.endsWith('/updates') && names.includes(asked.slice(0, -'/updates'.length));
}

/** A clear-signed message that nobody verified, without its frame. */
function unsigned(content: Uint8Array): string {
  const text = Buffer.from(content).toString();
  if (!text.startsWith('-----BEGIN PGP SIGNED MESSAGE-----')) return text;
  const body = text.slice(text.indexOf('\n\n') + 2, text.indexOf('-----BEGIN PGP SIGNATURE-----'));
  return body.replaceAll(/^- /gm, '');
}

function seconds(date: string | undefined): number | undefined {
  const ms = Date.parse(date ?? '');
  return Number.isNaN(ms) ? undefined : Math.floor(ms / 1000);
}

function words(value: string | undefined): string[] {
  return (value ?? '').split(/\s+/).filter((word) => word !== '');
}

async function unknownSuite(source: SuiteSource, o: ReleaseOptions): Promise<Error> {
  const mirror = source.uris[0] ?? '';
  const there = await Promise.all(
    DEBIAN_SUITES.map(async (suite) => {
      try {
        return (await isThere(`${mirror}/dists/${suite}/InRelease`, o)) ? [suite] : [];
      } catch {
        return [];
      }
    }),
  );
  const known = there.flat();
  return packagesError('SUITE_UNKNOWN', `find suite "${source.suite}" at "${redactUrl(mirror)}": there is none`, {
    remedy: known.length === 0 ? 'Name a mirror of Debian with --mirror URL.' : `Use one of ${known.join(', ')}.`,
  });
}
