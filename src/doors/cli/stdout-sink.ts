import { writeSync } from 'node:fs';
import { hasErrno, messageOf } from '../../base/index.ts';
import type { ByteSink } from '../../worker/index.ts';
import { cliError } from './errors.ts';

/** Standard output as the place of an archive. Throws `OUTPUT_CLOSED` when the reader goes away. */
export function stdoutSink(fd = 1): ByteSink {
  return {
    write: async (chunk) => {
      for (let at = 0; at < chunk.length;) {
        try {
          at += writeSync(fd, chunk, at);
        } catch (error) {
          if (hasErrno(error, 'EPIPE'))
            throw cliError('OUTPUT_CLOSED', 'write to standard output: its reader has gone', { cause: error });
          // A pipe that somebody made non-blocking is full: the reader needs a moment.
          if (!hasErrno(error, 'EAGAIN'))
            throw cliError('OUTPUT_INVALID', `write to standard output: ${messageOf(error)}`, { cause: error });
          await new Promise((resolve) => setTimeout(resolve, 2));
        }
      }
    },
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
