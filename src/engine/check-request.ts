import { parseReference } from '../image/index.ts';
import type { BuildRequest, ExportRequest } from './builder.ts';
import type { Compression } from './compression.ts';
import type { AttestationWishes } from '../supply/index.ts';
import { engineError } from './errors.ts';

/** What can be known to be wrong before anything has run is said then, not after an hour. Throws `EXPORT_INVALID` and what `parseReference` throws. */
export function checkRequest({ exports, epoch, cacheFrom = [], cacheTo = [] }: BuildRequest): void {
  if (epoch !== undefined && !Number.isSafeInteger(epoch))
    throw engineError('EXPORT_INVALID', `build with epoch "${epoch}": it is no number of seconds`);
  for (const e of exports) checkExport(e);
  for (const e of [...cacheFrom, ...cacheTo]) if (e.type === 'registry') parseReference(e.ref);
  for (const e of cacheTo) if (e.type !== 'inline') checkCompression(e.compression);
}

/** An image for several platforms cannot go everywhere. Throws `EXPORT_INVALID`. */
export function checkIndex({ exports }: BuildRequest, platforms: readonly string[]): void {
  for (const { type } of exports)
    if (type === 'docker' || type === 'docker-daemon')
      throw engineError(
        'EXPORT_INVALID',
        `build for ${platforms.join(', ')}: ${type === 'docker' ? "Docker's archive format" : "Docker's API"} holds images of one platform only`,
        { remedy: 'Write an OCI archive (type=oci), push to a registry, or build for one platform.' },
      );
}

/** What is said about an image cannot go everywhere. Throws `EXPORT_INVALID`. */
export function checkAttestations({ exports }: BuildRequest, { provenance, sbom }: AttestationWishes): void {
  if (!sbom && provenance?.inlineOnly !== false) return;
  for (const e of exports) {
    if (e.type === 'docker' || e.type === 'docker-daemon')
      throw engineError(
        'EXPORT_INVALID',
        `export attestations: ${e.type === 'docker' ? "Docker's archive format" : "Docker's API"} cannot hold them`,
        { remedy: 'Write an OCI archive (type=oci), push to a registry, or leave --provenance and --sbom out.' },
      );
    if (e.type === 'registry' && e.docker)
      throw engineError('EXPORT_INVALID', "export attestations: an image of Docker's media types cannot have them", {
        remedy: 'Leave oci-mediatypes=false out, or build without --provenance and --sbom.',
      });
  }
}

function checkExport(e: ExportRequest): void {
  if (!('names' in e)) return;
  if (e.type === 'registry' && e.names.length === 0)
    throw engineError('EXPORT_INVALID', 'push the image: it has no name', { remedy: 'Name it with -t HOST/NAME:TAG.' });
  if (e.type === 'containerd' && e.names.length === 0)
    throw engineError('EXPORT_INVALID', 'export the image to containerd: it has no name', {
      remedy: 'Name it with -t NAME:TAG.',
    });
  for (const name of e.names)
    if (parseReference(name).digest !== undefined && e.type !== 'registry')
      throw engineError(
        'EXPORT_INVALID',
        `name the image "${name}": a digest cannot be given, it comes of the content`,
        {
          remedy: 'Leave the digest out of the name.',
        },
      );
  if ('compression' in e) checkCompression(e.compression);
  const { name } = ('compression' in e && e.compression) || {};
  if (name === 'zstd' && 'docker' in e && e.docker)
    throw engineError('EXPORT_INVALID', 'exporter option "compression=zstd" conflicts with "oci-mediatypes=false"', {
      remedy: 'Leave one of them out: Docker has no media type for zstd.',
    });
  if (e.type === 'registry' && e.byDigest) {
    const tagged = e.names.find((text) => parseReference(text, { bare: true }).tag !== undefined);
    if (tagged !== undefined)
      throw engineError('EXPORT_INVALID', `can't push tagged ref ${tagged} by digest`, {
        remedy: 'Name the repository alone: name=HOST/NAME.',
      });
  }
}

function checkCompression(compression: Compression | undefined): void {
  const levels = { gzip: [0, 9], zstd: [0, 22], none: [0, 9] }[compression?.name ?? 'none'];
  const level = compression?.level;
  if (level !== undefined && !(Number.isInteger(level) && level >= (levels[0] ?? 0) && level <= (levels[1] ?? 0)))
    throw engineError(
      'EXPORT_INVALID',
      `compress with ${compression?.name} at level ${level}: there is no such level`,
      {
        remedy: `Use ${levels[0]} to ${levels[1]}.`,
      },
    );
}
