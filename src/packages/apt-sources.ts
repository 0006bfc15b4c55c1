import { aptFlag } from './apt-settings.ts';
import { foldedLines, parseStanzas } from './deb822.ts';
import { packagesError } from './errors.ts';

/** What verifies a source: key files, an armored key written into the source itself, or only these fingerprints of the trusted keys. */
export interface SignedBy {
  readonly files: readonly string[];
  readonly key?: string | undefined;
  readonly fingerprints: readonly string[];
}

/** One entry of sources.list(5) that gives binary packages. Absent members: what apt's configuration says. */
export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  readonly architectures?: readonly string[] | undefined;
  readonly signedBy?: SignedBy | undefined;
  readonly trusted?: boolean | undefined;
  readonly checkValidUntil?: boolean | undefined;
  readonly checkDate?: boolean | undefined;
  /** Where it was written. */
  readonly file: string;
}

/** The entries of a deb822 `.sources` file; disabled ones and those of sources only are left out. Throws `APT_CONFIG_INVALID`. */
export function parseSourcesFile(text: string, file: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const stanza of parseStanzas(text)) {
    const types = words(stanza.get('types'));
    const uris = words(stanza.get('uris'));
    const suites = words(stanza.get('suites'));
    if (types.length === 0 || uris.length === 0 || suites.length === 0) {
      if (aptFlag(stanza.get('enabled')) === false) continue;
      throw packagesError('APT_CONFIG_INVALID', `read "${file}": an entry lacks Types, URIs or Suites`);
    }
    if (!types.includes('deb') || aptFlag(stanza.get('enabled')) === false) continue;
    sources.push({
      uris,
      suites,
      components: words(stanza.get('components')),
      ...optional('architectures', listOf(words(stanza.get('architectures')))),
      ...optional('signedBy', parseSignedBy(stanza.get('signed-by'))),
      ...optional('trusted', aptFlag(stanza.get('trusted'))),
      ...optional('checkValidUntil', aptFlag(stanza.get('check-valid-until'))),
      ...optional('checkDate', aptFlag(stanza.get('check-date'))),
      file,
    });
  }
  return sources;
}

/** The entries of a one-line `.list` file. Throws `APT_CONFIG_INVALID` with the place. */
export function parseListFile(text: string, file: string): AptSource[] {
  const sources: AptSource[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.replace(/#.*$/, '').trim();
    if (line === '') continue;
    const match = /^(\S+)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)$/.exec(line);
    if (!match)
      throw packagesError('APT_CONFIG_INVALID', `read "${file}": a line that is no source`, {
        place: { file, line: index + 1, text: raw },
      });
    const [, type, options = '', uri = '', suite = '', components = ''] = match;
    if (type !== 'deb') continue;
    const values = new Map<string, string>();
    for (const option of words(options)) {
      const split = /^(.+?)[+-]?=(.*)$/.exec(option);
      if (split?.[1] !== undefined) values.set(split[1].toLowerCase(), split[2] ?? '');
    }
    sources.push({
      uris: [uri],
      suites: [suite],
      components: words(components),
      ...optional('architectures', values.get('arch')?.split(',')),
      ...optional('signedBy', parseSignedBy(values.get('signed-by')?.replaceAll(',', ' '))),
      ...optional('trusted', aptFlag(values.get('trusted'))),
      ...optional('checkValidUntil', aptFlag(values.get('check-valid-until'))),
      ...optional('checkDate', aptFlag(values.get('check-date'))),
      file,
    });
  }
  return sources;
}

function parseSignedBy(value: string | undefined): SignedBy | undefined {
  if (value === undefined || value.trim() === '') return undefined;
  if (value.includes('-----BEGIN PGP'))
    return {
      files: [],
      fingerprints: [],
      key: value
        .split('\n')
        .map((line) => (line.trim() === '.' ? '' : line.trim()))
        .join('\n'),
    };
  const parts = foldedLines(value)
    .flatMap(words)
    .flatMap((part) => part.split(','));
  return {
    files: parts.filter((part) => part.startsWith('/')),
    fingerprints: parts
      .filter((part) => /^[0-9A-Fa-f]{40}!?$/.test(part))
      .map((part) => part.replace('!', '').toUpperCase()),
  };
}

function words(value: string | undefined): string[] {
  return (value ?? '').split(/\s+/).filter((word) => word !== '');
}

function listOf(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values;
}

function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { readonly [P in K]?: V };
}
