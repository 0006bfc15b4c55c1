import { readFileSync } from 'node:fs';
import { CodedError, hasErrno, messageOf, reasonOf, type Random } from '../../base/index.ts';
import type { BlobReader } from '../../blob/index.ts';
import type { CacheStore } from '../../cloud/index.ts';
import { engineError, fileSink } from '../../engine/index.ts';
import type { CredentialLookup } from '../../registry/index.ts';
import type { FileSource } from '../../tree/index.ts';
import type { BuildHost, ByteChannel, Sink } from '../../worker/index.ts';
import { cliError } from './errors.ts';
import type { SinkPlace } from './parse/output.ts';
import { MAX_SECRET, tooLarge, type AgentSource, type SecretSource } from './parse/secret.ts';
import { stdoutSink } from './stdout-sink.ts';

/** What this process offers to a build: its files, secrets, agents, logins and the places that output goes to. */
export function localHost(o: {
  files: ReadonlyMap<string, FileSource>;
  secrets: ReadonlyMap<string, SecretSource>;
  /** By id. */
  agents: ReadonlyMap<string, AgentSource>;
  sinks: ReadonlyMap<string, SinkPlace>;
  blobs?: ReadonlyMap<string, BlobReader> | undefined;
  /** Caches among the objects of clouds. */
  objects?: ReadonlyMap<string, () => Promise<CacheStore>> | undefined;
  credentials: CredentialLookup;
  failed?: BuildHost['failed'] | undefined;
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
      const source = o.agents.get(id);
      if (source === undefined) throw cliError('AGENT_ABSENT', `use ssh agent "${id}": it was not given to this build`);
      return connectAgent(id, source);
    },
    credentials: hostCredentials(o.credentials),
    blobs: (name) => {
      const blobs = o.blobs?.get(name);
      if (!blobs) throw absent(`blobs "${name}"`);
      return blobs;
    },
    objects: async (name) => {
      const open = o.objects?.get(name);
      if (!open) throw absent(`the cache "${name}"`);
      return open();
    },
    ...(o.failed ? { failed: o.failed } : {}),
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
    const content = readFileSync(source.file);
    if (content.length > MAX_SECRET) throw tooLarge(id, source.file);
    return content;
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    if (error instanceof CodedError) throw error;
    throw cliError('SECRET_UNREADABLE', `read secret "${id}" from "${source.file}": ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function connectAgent(id: string, source: AgentSource): Promise<ByteChannel> {
  const { agentChannel } = await import('./agent/agent-channel.ts');
  if ('keys' in source) return agentChannel((await import('./agent/key-agent.ts')).keyAgent(source.keys));
  const { socketAgent } = await import('./agent/socket-agent.ts');
  try {
    return await socketAgent(source.socket);
  } catch (error) {
    throw cliError('AGENT_UNREACHABLE', `reach ssh agent "${id}" at "${source.socket}": ${reasonOf(error)}`, {
      cause: error,
      remedy: 'Start an ssh-agent and name its socket: --ssh ID=SOCKET.',
    });
  }
}
