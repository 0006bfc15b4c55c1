import type { Wait } from '../base/index.ts';
import type { Descriptor, Digest, Platform } from '../blob/index.ts';
import {
  descriptorOf,
  goJson,
  layerFromBytes,
  makeImage,
  MEDIA,
  type GoValue,
  type Image,
  type ImageParts,
  type IndexMember,
  type Layer,
} from '../image/index.ts';
import { imagePurl } from './purl.ts';
import type { Statement } from './types.ts';

/** The media type of an in-toto statement in a manifest. */
export const STATEMENT_TYPE = 'application/vnd.in-toto+json';
const ARTIFACT_TYPE = 'application/vnd.docker.attestation.manifest.v1+json';
const UNKNOWN: Platform = { architecture: 'unknown', os: 'unknown' };

/** Who a statement is about: a name and a digest. */
export interface Subject {
  readonly name: string;
  readonly digest: Digest;
}

/** A statement's bytes (in-toto Statement v1), `indent` spaces deep or on one line. */
export function statementBytes(
  { predicateType, predicate }: Statement,
  subjects: readonly Subject[],
  o: { readonly indent?: number | undefined } = {},
): Uint8Array {
  const value = new Map<string, GoValue>([
    ['_type', 'https://in-toto.io/Statement/v1'],
    ['predicateType', predicateType],
    [
      'subject',
      subjects.map(
        ({ name, digest }) =>
          new Map<string, GoValue>([
            ['name', name],
            ['digest', digestSet(digest)],
          ]),
      ),
    ],
    ['predicate', JSON.parse(Buffer.from(predicate).toString()) as GoValue],
  ]);
  return Buffer.from(goJson(inOrder(value), o.indent));
}

/** A digest as in-toto writes it. */
export function digestSet(digest: Digest): Readonly<Record<string, string>> {
  const at = digest.indexOf(':');
  return { [digest.slice(0, at)]: digest.slice(at + 1) };
}

/**
 * What is said about an image, as the member that an index has beside it (BuildKit's docs/attestations/attestation-storage.md): platform unknown/unknown, annotations that name the image, one layer per statement. `artifact`: an OCI artifact
 * with the image as its subject, in place of an image with a config. Asks the image for its manifest, which may compress its layers.
 */
export async function attestationMember(
  image: Image,
  o: {
    readonly platform: Platform;
    /** The image's names; the statements are about each of them. */
    readonly names: readonly string[];
    readonly statements: readonly Statement[];
    readonly artifact?: boolean | undefined;
  } & Wait,
): Promise<IndexMember> {
  const target = await descriptorOf(image, o);
  const subjects = subjectsOf(target, o);
  const layers = o.statements.map((statement) =>
    layerFromBytes(statementBytes(statement, subjects), {
      mediaType: STATEMENT_TYPE,
      annotations: { 'in-toto.io/predicate-type': statement.predicateType },
    }),
  );
  const parts: ImageParts = o.artifact
    ? {
        layers,
        mediaTypes: 'oci',
        config: Buffer.from('{}'),
        configType: MEDIA.ociEmpty,
        embedConfig: true,
        artifactType: ARTIFACT_TYPE,
        subject: target,
      }
    : { layers, mediaTypes: 'oci', config: await configOf(layers) };
  return {
    image: makeImage(parts),
    platform: UNKNOWN,
    annotations: {
      'vnd.docker.reference.digest': target.digest,
      'vnd.docker.reference.type': 'attestation-manifest',
    },
  };
}

/** The config of an image that nobody runs, members in the order of Go's type. */
async function configOf(layers: readonly Layer[]): Promise<Uint8Array> {
  const ids = await Promise.all(layers.map((layer) => layer.diffId()));
  const value = new Map<string, GoValue>([
    ['architecture', UNKNOWN.architecture],
    ['os', UNKNOWN.os],
    ['config', {}],
    [
      'rootfs',
      new Map<string, GoValue>([
        ['type', 'layers'],
        ['diff_ids', ids],
      ]),
    ],
  ]);
  return Buffer.from(goJson(value));
}

/** A statement is about something: an image without a name goes by "_". */
function subjectsOf(
  target: Descriptor,
  { names, platform }: { readonly names: readonly string[]; readonly platform: Platform },
): readonly Subject[] {
  const all = names.length === 0 ? ['_'] : names.map((name) => imagePurl('docker', name, { platform }));
  return [...new Set(all)].map((name) => ({ name, digest: target.digest }));
}

/** Members of JSON objects in the order in which they were written. */
function inOrder(value: GoValue): GoValue {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(inOrder);
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  return new Map(entries.map(([key, member]) => [key, member === undefined ? undefined : inOrder(member as GoValue)]));
}
