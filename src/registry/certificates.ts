import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasErrno, messageOf, type HttpOptions } from '../base/index.ts';
import { registryError } from './errors.ts';

/** Where Docker and the containers tools look for certificates of single registries. */
export const CERTIFICATE_FOLDERS: readonly string[] = ['/etc/containers/certs.d', '/etc/docker/certs.d'];

/**
 * What `<folder>/<host[:port]>/` says about a registry: `*.crt` are authorities to trust, `*.cert` with `*.key` of the same name is the client's certificate (the first pair is taken).
 * Folders that do not exist say nothing. Throws `CERTIFICATES_INVALID` for half a pair and for files that cannot be read.
 */
export function certificatesFor(
  host: string,
  folders: readonly string[],
): Pick<HttpOptions, 'ca' | 'clientCertificate'> {
  const ca: string[] = [];
  let clientCertificate: { cert: string; key: string } | undefined;
  for (const parent of folders) {
    const folder = join(parent, host);
    const names = filesIn(folder);
    const read = (name: string): string => {
      try {
        return readFileSync(join(folder, name), 'utf8');
      } catch (error) {
        throw registryError('CERTIFICATES_INVALID', `read "${join(folder, name)}": ${messageOf(error)}`, {
          cause: error,
        });
      }
    };
    for (const name of names) {
      if (name.endsWith('.crt')) ca.push(read(name));
      const stem = name.replace(/\.(cert|key)$/, '');
      if (stem === name) continue;
      const other = name.endsWith('.cert') ? `${stem}.key` : `${stem}.cert`;
      if (!names.includes(other))
        throw registryError(
          'CERTIFICATES_INVALID',
          `read the client certificate of "${host}": "${join(folder, name)}" has no "${other}" beside it`,
          {
            remedy: name.endsWith('.cert')
              ? 'Put the key there, or give an authority to trust the ending ".crt".'
              : 'Put the certificate there.',
          },
        );
      if (name.endsWith('.cert')) clientCertificate ??= { cert: read(name), key: read(other) };
    }
  }
  return { ca, clientCertificate };
}

function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return [];
    throw registryError('CERTIFICATES_INVALID', `read "${folder}": ${messageOf(error)}`, { cause: error });
  }
}
