import { digestOf, hexOf, type Digest, type Platform } from '../../blob/index.ts';
import { canonicalJson } from '../../base/index.ts';
import { formatPlatform, goJson, unlessEmpty, type GoValue } from '../../image/index.ts';
import type { Statement } from '../types.ts';
import type { FoundPackage } from './found-package.ts';
import type { PackageList } from './read-packages.ts';

/** The image that is described. */
export interface SpdxSubject {
  /** The digest of its config. */
  readonly imageId: Digest;
  readonly platform: Platform;
  /** Milliseconds since the epoch: no later than the image, so that the same image is described by the same bytes. */
  readonly created: number;
}

/** The packages of an image as an SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3), an in-toto predicate. The same image has the same document. */
export function spdx(list: PackageList, subject: SpdxSubject): Statement {
  const root = 'SPDXRef-Image';
  const packages = list.packages.map((one) => ({ id: idOf(one), one }));
  const identity = { image: subject.imageId, packages: list.packages.map(({ purl, from }) => [purl, ...from]) };
  const digest = hexOf(digestOf(canonicalJson(identity)));
  const document = struct({
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `${formatPlatform(subject.platform)} ${subject.imageId}`,
    documentNamespace: `https://spdx.org/spdxdocs/strake-${digest.slice(0, 40)}`,
    creationInfo: struct({
      created: new Date(Math.floor(subject.created / 1000) * 1000).toISOString().replace('.000', ''),
      creators: ['Tool: strake'],
      comment: unlessEmpty(list.passedOver.map((what) => `Passed over: ${what}.`).join(' ')),
    }),
    packages: [
      struct({
        name: 'image',
        SPDXID: root,
        ...NOTHING_SAID,
        primaryPackagePurpose: 'CONTAINER',
      }),
      ...packages.map(({ id, one }) => packageValue(id, one)),
    ],
    relationships: [
      related('SPDXRef-DOCUMENT', 'DESCRIBES', root),
      ...packages.map(({ id }) => related(root, 'CONTAINS', id)),
    ],
  });
  return {
    predicateType: 'https://spdx.dev/Document',
    predicate: Buffer.from(goJson(document)),
    filename: 'sbom.spdx.json',
  };
}

const NOTHING_SAID = {
  downloadLocation: 'NOASSERTION',
  filesAnalyzed: false,
  licenseConcluded: 'NOASSERTION',
  licenseDeclared: 'NOASSERTION',
  copyrightText: 'NOASSERTION',
} as const;

function packageValue(id: string, { name, version, purl, from, license }: FoundPackage): GoValue {
  const more = from.length - 1;
  return struct({
    name,
    SPDXID: id,
    versionInfo: version,
    ...NOTHING_SAID,
    // Not every manager has SPDX expressions on record: told as it is written there.
    licenseComments: license === undefined ? undefined : `Declared as: ${license}`,
    sourceInfo: `On record in ${from[0] ?? ''}${more > 0 ? ` and ${more} more` : ''}`,
    externalRefs: [struct({ referenceCategory: 'PACKAGE-MANAGER', referenceType: 'purl', referenceLocator: purl })],
  });
}

/** Letters, digits, "." and "-" only. */
function idOf({ name, purl }: FoundPackage): string {
  const type = /^pkg:([a-z]+)/.exec(purl)?.[1] ?? 'package';
  return `SPDXRef-${type}-${name.replaceAll(/[^A-Za-z0-9.-]+/g, '-')}-${hexOf(digestOf(purl)).slice(0, 16)}`;
}

function related(one: string, relationshipType: string, other: string): GoValue {
  return struct({ spdxElementId: one, relationshipType, relatedSpdxElement: other });
}

function struct(members: Readonly<Record<string, GoValue | undefined>>): GoValue {
  return new Map(Object.entries(members));
}
