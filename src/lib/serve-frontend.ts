import { Duplex, type Readable, type Writable } from 'node:stream';
import type { Frontend } from '../frontend/index.ts';
import { runFrontend } from '../serve/remote/index.ts';
import { GrpcConnection } from '../wire/grpc/index.ts';

const OPTION = /^BUILDKIT_FRONTEND_OPT_\d+$/;

/**
 * Runs a frontend as the program of an image that `# syntax=` names: a builder (strake, buildkitd, docker's) speaks with it on standard input and output, and says in the environment what is to be built. Settles when the builder has
 * heard what came of it, also of a failure. Standard output belongs to the builder: write remarks to standard error. Throws `GRPC_…` where nobody speaks gRPC there.
 */
export async function serveFrontend(
  frontend: Frontend,
  o: {
    readonly stdin?: Readable | undefined;
    readonly stdout?: Writable | undefined;
    readonly env?: Readonly<Record<string, string | undefined>> | undefined;
    readonly log?: ((line: string) => void) | undefined;
    readonly signal?: AbortSignal | undefined;
  } = {},
): Promise<void> {
  const { stdin = process.stdin, stdout = process.stdout, env = process.env } = o;
  const stream = joined(stdin, stdout);
  const connection = new GrpcConnection(stream);
  try {
    await runFrontend(frontend, connection, {
      options: optionsIn(env),
      session: env['BUILDKIT_SESSION_ID'] ?? '',
      log: o.log ?? ((line) => void process.stderr.write(`${line}\n`)),
      signal: o.signal,
    });
  } finally {
    // Without a farewell: to BuildKit a frontend whose connection has ended before its process has failed.
    stream.destroy();
    await connection.closed;
  }
}

function optionsIn(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string>> {
  const options: Record<string, string> = {};
  for (const [name, text = ''] of Object.entries(env)) {
    if (!OPTION.test(name)) continue;
    const equals = text.indexOf('=');
    options[equals < 0 ? text : text.slice(0, equals)] = equals < 0 ? '' : text.slice(equals + 1);
  }
  return options;
}

/** What is read from one and written to the other. */
function joined(from: Readable, to: Writable): Duplex {
  const stream = new Duplex({
    read: () => void from.resume(),
    write: (chunk: Uint8Array, _encoding, done) => void to.write(chunk, done),
    final: (done) => void to.end(done),
    destroy: (error, done) => {
      from.destroy();
      done(error);
    },
  });
  from.on('data', (chunk) => {
    if (!stream.push(chunk)) from.pause();
  });
  from.once('end', () => stream.push(null));
  for (const end of [from, to]) end.once('error', (error) => stream.destroy(error));
  return stream;
}
