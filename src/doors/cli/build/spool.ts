import { closeSync, openSync, writeSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { messageOf, throwIfCancelled, type Wait } from '../../../base/index.ts';
import { cliError, usage } from '../errors.ts';

/** Standard input to a new file. */
export async function spool(
  stdin: Readable & { readonly isTTY?: boolean | undefined },
  o: { readonly path: string } & Wait,
): Promise<void> {
  throwIfCancelled(o);
  if (stdin.isTTY)
    throw usage(
      'read from standard input: it is a terminal',
      'Send a Dockerfile or an archive in, as in "strake build - < Dockerfile".',
    );
  const stop = (): void => void stdin.destroy(new Error('cancelled'));
  o.signal?.addEventListener('abort', stop, { once: true });
  const fd = openSync(o.path, 'wx', 0o600);
  try {
    for await (const chunk of stdin as AsyncIterable<Uint8Array>)
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
  } catch (error) {
    throwIfCancelled(o);
    throw cliError('CONTEXT_INVALID', `read from standard input: ${messageOf(error)}`, { cause: error });
  } finally {
    closeSync(fd);
    o.signal?.removeEventListener('abort', stop);
  }
}
