import type { Wait } from '../../base/index.ts';
import { unlessCancelled } from '../../base/index.ts';
import { usage } from './errors.ts';
import type { Io } from './io.ts';

interface Question extends Wait {
  readonly question: string;
}

/** Asks for a line at the terminal. */
export async function askLine(io: Io, o: Question): Promise<string> {
  return ask(io, { ...o, hidden: false });
}

/** Asks for something that must not be shown. */
export async function askSecret(io: Io, o: Question): Promise<string> {
  return ask(io, { ...o, hidden: true });
}

/** All of standard input, as text. */
export async function readAll(io: Io, w: Wait): Promise<string> {
  const chunks: Uint8Array[] = [];
  const reading = (async () => {
    for await (const chunk of io.stdin as AsyncIterable<Uint8Array>) chunks.push(chunk);
  })();
  await unlessCancelled(reading, w);
  return Buffer.concat(chunks).toString();
}

async function ask(io: Io, o: Question & { readonly hidden: boolean }): Promise<string> {
  const { stdin } = io;
  if (!stdin.isTTY)
    throw usage(
      'ask for name and password: standard input is no terminal',
      'Give them with --username and --password-stdin.',
    );
  const { createInterface } = await import('node:readline');
  const { Writable } = await import('node:stream');
  io.stderr.write(o.question);
  // readline echoes to its output; the question is shown already, so a hidden answer gets an output that shows nothing.
  const echo = new Writable({
    write: (chunk: Uint8Array, _encoding, done) => {
      if (!o.hidden) io.stderr.write(Buffer.from(chunk).toString());
      done();
    },
  });
  const lines = createInterface({ input: stdin, output: echo, terminal: true, historySize: 0 });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.once('line', resolve);
  lines.once('SIGINT', () => process.kill(process.pid, 'SIGINT'));
  lines.once('close', () => reject(usage('ask at the terminal: there was no answer')));
  try {
    return await unlessCancelled(promise, o);
  } finally {
    promise.catch(() => undefined);
    lines.close();
    stdin.pause();
    if (o.hidden) io.stderr.write('\n');
  }
}
