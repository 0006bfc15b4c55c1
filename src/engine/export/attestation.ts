import { digestOf, type Digest } from '../../blob/index.ts';
import {
  descriptorOf,
  formatPlatform,
  layerFromBytes,
  makeImage,
  parseReference,
  type Image,
  type IndexMember,
} from '../../image/index.ts';
import type { Wait } from '../../base/index.ts';
import type { PlannedImage } from '../../frontend/index.ts';

const IN_TOTO = 'application/vnd.in-toto+json';
const STATEMENT = 'https://in-toto.io/Statement/v0.1';
const UNKNOWN = { architecture: 'unknown', os: 'unknown' };

/**
 * What is said about an image as BuildKit puts it beside the image in an index: a manifest whose layers are in-toto statements about the image's own manifest, under the names it is written (docs/attestations/attestation-storage.md).
 * Undefined where nothing is said.
 */
export async function attestationOf(
  image: Image,
  o: { readonly plan: PlannedImage; readonly names: readonly string[] } & Wait,
): Promise<IndexMember | undefined> {
  const { attestations, platform } = o.plan;
  if (attestations.length === 0) return undefined;
  const { digest } = await descriptorOf(image, o);
  const subject = o.names.map((name) => ({
    name: purlOf(name, formatPlatform(platform)),
    digest: { sha256: digest.slice('sha256:'.length) },
  }));
  const statements = attestations.map(({ predicateType, predicate }) => {
    const head = JSON.stringify({ _type: STATEMENT, predicateType, subject }).slice(0, -1);
    return {
      content: Buffer.concat([Buffer.from(`${head},"predicate":`), predicate, Buffer.from('}')]),
      predicateType,
    };
  });
  const diffIds = statements.map(({ content }): Digest => digestOf(content));
  const config = { ...UNKNOWN, config: {}, rootfs: { type: 'layers', diff_ids: diffIds } };
  return {
    image: makeImage({
      config: Buffer.from(JSON.stringify(config)),
      layers: statements.map(({ content, predicateType }) =>
        layerFromBytes(content, { mediaType: IN_TOTO, annotations: { 'in-toto.io/predicate-type': predicateType } }),
      ),
      mediaTypes: 'oci',
    }),
    platform: UNKNOWN,
    annotations: { 'vnd.docker.reference.digest': digest, 'vnd.docker.reference.type': 'attestation-manifest' },
  };
}

/** A package URL of type docker, as BuildKit's util/purl. */
function purlOf(name: string, platform: string): string {
  const { registry, repository, tag, digest } = parseReference(name);
  const path = registry === 'docker.io' ? repository.replace(/^library\//, '') : `${registry}/${repository}`;
  const version = tag ?? (digest === undefined ? 'latest' : undefined);
  const query = new URLSearchParams({ ...(digest !== undefined && { digest }), platform });
  return `pkg:docker/${path}${version === undefined ? '' : `@${encodeURIComponent(version)}`}?${query.toString()}`;
}
