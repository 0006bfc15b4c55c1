export { attestationMember, digestSet, statementBytes, STATEMENT_TYPE, type Subject } from './attestation-image.ts';
export { supplyError } from './errors.ts';
export { provenance, type BuildConfig, type BuildFacts, type BuildSources, type NamedNeed } from './provenance.ts';
export { imagePurl, purl } from './purl.ts';
export type { FoundPackage } from './sbom/found-package.ts';
export { readPackages, type PackageList } from './sbom/read-packages.ts';
export { spdx, type SpdxSubject } from './sbom/spdx.ts';
export type { AttestationWishes, ProvenanceWish, Statement } from './types.ts';
export { attestationWishes } from './wishes.ts';
