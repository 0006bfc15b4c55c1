import { closeSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { messageOf, type Random } from '../base/index.ts';
import type { ByteSink } from '../worker/index.ts';
import { engineError } from './errors.ts';

/** A file that appears under its name only when it is whole; "-" is standard output. */
export function fileSink(path: string, random: Random): ByteSink {
  if (path === '-') return stdoutSink();
  const temporary = join(dirname(path), `.${basename(path)}.${random.hex(6)}`);
  let fd: number | undefined;
  try {
    fd = openSync(temporary, 'wx');
  } catch (error) {
    throw engineError('EXPORT_FAILED', `write "${path}": ${messageOf(error)}`, { cause: error });
  }
  const end = (): void => {
    if (fd !== undefined) closeSync(fd);
    fd = undefined;
  };
  return {
    write: async (chunk) => {
      if (fd === undefined) throw engineError('EXPORT_FAILED', `write "${path}": it was closed`);
      for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
    },
    close: async () => {
      end();
      renameSync(temporary, path);
    },
    [Symbol.asyncDispose]: async () => {
      end();
      rmSync(temporary, { force: true });
    },
  };
}

function stdoutSink(): ByteSink {
  return {
    write: async (chunk) => {
      if (process.stdout.write(chunk)) return;
      await new Promise((resolve) => process.stdout.once('drain', resolve));
    },
    close: async () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}
