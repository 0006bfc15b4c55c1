import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { hasErrno, messageOf, type Random } from '../../base/index.ts';
import type { BlobReader } from '../../blob/index.ts';
import { engineError, fileSink } from '../../engine/index.ts';
import type { CredentialLookup } from '../../registry/index.ts';
import type { FileSource } from '../../tree/index.ts';
import type { BuildHost, ByteChannel, Sink } from '../../worker/index.ts';
import { cliError } from './errors.ts';
import type { SinkPlace } from './parse/output.ts';
import type { SecretSource } from './parse/secret.ts';
import { stdoutSink } from './stdout-sink.ts';

/** What this process offers to a build: its files, secrets, agents, logins and the places that output goes to. */
export function localHost(o: {
  files: ReadonlyMap<string, FileSource>;
  secrets: ReadonlyMap<string, SecretSource>;
  /** Sockets of ssh agents, by id. */
  agents: ReadonlyMap<string, string>;
  sinks: ReadonlyMap<string, SinkPlace>;
  blobs?: ReadonlyMap<string, BlobReader> | undefined;
  credentials: CredentialLookup;
  env: Readonly<Record<string, string | undefined>>;
  random: Random;
}): BuildHost {
  const absent = (what: string): Error => engineError('HOST_ABSENT', `use ${what}: it was not offered to this build`);
  return {
    files: (name) => {
      const source = o.files.get(name);
      if (!source) throw absent(`files "${name}"`);
      return source;
    },
    secret: async (id) => {
      const source = o.secrets.get(id);
      return source && readSecret(id, source, o.env);
    },
    agent: async (id) => {
      const socket = o.agents.get(id);
      if (socket === undefined) throw absent(`ssh agent "${id}"`);
      return connectAgent(id, socket);
    },
    credentials: hostCredentials(o.credentials),
    blobs: (name) => {
      const blobs = o.blobs?.get(name);
      if (!blobs) throw absent(`blobs "${name}"`);
      return blobs;
    },
    sink: (name): Sink => {
      const place = o.sinks.get(name);
      if (!place) throw absent(`output "${name}"`);
      switch (place.kind) {
        case 'folder':
          return { kind: 'folder', path: place.path };
        case 'file':
          return { kind: 'stream', open: async () => fileSink(place.path, o.random) };
        default:
          return { kind: 'stream', open: async () => stdoutSink() };
      }
    },
  };
}

/** A look-up by scopes, as the engine asks: the first scope names the repository. */
export function hostCredentials(lookup: CredentialLookup): BuildHost['credentials'] {
  return async (host, scopes, w) => {
    const repository = scopes.map((scope) => scope.split(':')[1]).find((name) => name !== undefined);
    return lookup({ registry: host, repository }, w);
  };
}

function readSecret(
  id: string,
  source: SecretSource,
  env: Readonly<Record<string, string | undefined>>,
): Uint8Array | undefined {
  if ('env' in source) {
    const value = env[source.env];
    return value === undefined ? undefined : Buffer.from(value);
  }
  try {
    return readFileSync(source.file);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw cliError('SECRET_UNREADABLE', `read secret "${id}" from "${source.file}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function connectAgent(id: string, path: string): Promise<ByteChannel> {
  const socket = connect({ path });
  try {
    await once(socket, 'connect');
  } catch (error) {
    socket.destroy();
    throw cliError('AGENT_UNREACHABLE', `reach ssh agent "${id}" at "${path}": ${messageOf(error)}`, { cause: error });
  }
  return {
    readable: socket,
    write: (chunk) =>
      new Promise((resolve, reject) => socket.write(chunk, (error) => (error ? reject(error) : resolve()))),
    [Symbol.asyncDispose]: async () => void socket.destroy(),
  };
}
