import type { Bytes } from '../base/index.ts';
import type { Descriptor } from './descriptor.ts';
import { algorithmOf, blobError, Digester } from './digest.ts';

/** Passes a whole blob on; throws `BLOB_CORRUPT` at its end, or as soon as there are too many bytes, when it is not what the descriptor says. */
export async function* verified(content: Bytes, descriptor: Descriptor, what = 'blob'): Bytes {
  const digester = new Digester(algorithmOf(descriptor.digest));
  for await (const chunk of content) {
    digester.update(chunk);
    if (digester.size > descriptor.size)
      throw blobError('BLOB_CORRUPT', `read ${what} ${descriptor.digest}: longer than its ${descriptor.size} bytes`);
    yield chunk;
  }
  if (digester.size !== descriptor.size)
    throw blobError(
      'BLOB_CORRUPT',
      `read ${what} ${descriptor.digest}: ended after ${digester.size} of ${descriptor.size} bytes`,
    );
  const digest = digester.digest();
  if (digest !== descriptor.digest)
    throw blobError('BLOB_CORRUPT', `read ${what} ${descriptor.digest}: its content has digest ${digest}`);
}
