import { supplyError } from './errors.ts';
import type { AttestationWishes, ProvenanceWish } from './types.ts';

/**
 * What is to be said about the images of a build, by BuildKit's frontend options: `attest:TYPE` and `build-arg:BUILDKIT_ATTEST_TYPE`, the values CSV attributes (frontend/attestations/parse.go). Throws `ATTESTATION_INVALID` and
 * `ATTESTATION_UNSUPPORTED`.
 */
export function attestationWishes(options: Readonly<Record<string, string>>): AttestationWishes {
  let wishes: AttestationWishes = {};
  for (const [name, value] of Object.entries(options)) {
    const type = /^(?:attest:|build-arg:BUILDKIT_ATTEST_)(.*)$/s.exec(name)?.[1]?.toLowerCase();
    if (type === undefined) continue;
    const attributes = attributesOf(value, type);
    if (flagOf(attributes, 'disabled', type)) continue;
    if (type === 'provenance') wishes = { ...wishes, provenance: provenanceOf(attributes) };
    else if (type === 'sbom') wishes = { ...wishes, sbom: sbomOf(attributes) };
    else
      throw supplyError('ATTESTATION_INVALID', `read attestation "${type}": there is no such type`, {
        remedy: 'Use provenance or sbom.',
      });
  }
  return wishes;
}

function provenanceOf(attributes: ReadonlyMap<string, string>): ProvenanceWish {
  const mode = attributes.get('mode') ?? 'max';
  if (mode !== 'min' && mode !== 'max' && mode !== 'full')
    throw bad('provenance', `there is no mode "${mode}"`, 'Use mode=min or mode=max.');
  const version = attributes.get('version') ?? 'v1';
  if (version !== 'v1' && version !== 'v0.2')
    throw bad('provenance', `there is no version "${version}" of SLSA's provenance`, 'Use version=v1 or version=v0.2.');
  const filename = attributes.get('filename') ?? 'provenance.json';
  if (filename === '' || /[/\0]/.test(filename) || /^\.\.?$/.test(filename))
    throw bad('provenance', `"${filename}" is no name of a file`);
  return {
    mode: mode === 'full' ? 'max' : mode,
    version,
    filename,
    builderId: attributes.get('builder-id') ?? '',
    reproducible: flagOf(attributes, 'reproducible', 'provenance'),
    inlineOnly: flagOf(attributes, 'inline-only', 'provenance'),
  };
}

function sbomOf(attributes: ReadonlyMap<string, string>): Readonly<Record<string, never>> {
  const generator = attributes.get('generator');
  if (generator !== undefined && generator !== '')
    throw supplyError(
      'ATTESTATION_UNSUPPORTED',
      `read attestation "sbom": a generator image ("${generator}") is not run`,
      { remedy: 'Leave it out: packages are listed without one.' },
    );
  return {};
}

/** Go's strconv.ParseBool; absent is false. */
function flagOf(attributes: ReadonlyMap<string, string>, name: string, type: string): boolean {
  const text = attributes.get(name);
  if (text === undefined || /^(0|f|F|false|FALSE|False)$/.test(text)) return false;
  if (/^(1|t|T|true|TRUE|True)$/.test(text)) return true;
  throw bad(type, `${name}="${text}" is neither true nor false`);
}

function bad(type: string, detail: string, remedy?: string): Error {
  return supplyError(
    'ATTESTATION_INVALID',
    `read attestation "${type}": ${detail}`,
    remedy === undefined ? {} : { remedy },
  );
}

/** Fields as CSV has them, each `name=value`. */
function attributesOf(text: string, type: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  if (text === '') return attributes;
  for (const match of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,"]*))(,|$|.)/gs)) {
    if (match[3] !== ',' && match[3] !== '') throw bad(type, `"${text}" is no list of name=value`);
    const field = match[1]?.replaceAll('""', '"') ?? match[2] ?? '';
    const equals = field.indexOf('=');
    if (field !== '')
      attributes.set(equals < 0 ? field : field.slice(0, equals), equals < 0 ? '' : field.slice(equals + 1));
    if (match[3] === '') break;
  }
  return attributes;
}
