import { kindOf, throwIfCancelled, type Clock, type CodedError, type Wait } from '../../../base/index.ts';
import type { BuildHost, ByteChannel, Credential } from '../../../worker/index.ts';
import { Auth } from '../../gen/buildkit/auth_pb.ts';
import { Secrets } from '../../gen/buildkit/secrets_pb.ts';
import { fromStatus, type GrpcConnection } from '../../grpc/index.ts';
import { sessionError } from './errors.ts';
import type { KeptFiles, Stay } from './kept-files.ts';
import { remoteAgent } from './remote-agent.ts';
import { remoteBlobs } from './remote-blobs.ts';
import { DIFF_COPY, remoteFiles } from './remote-files.ts';
import { remoteSink } from './remote-sink.ts';

/** For one answer about secrets and logins; people may be asked for them. */
const ANSWER_MS = 60_000;
/** What BuildKit's clients know Docker Hub as. */
const HUB = 'registry-1.docker.io';

export interface RemoteHostOptions {
  readonly connection: GrpcConnection;
  readonly offers: (method: string) => boolean;
  readonly gone: AbortSignal;
  readonly kept: KeptFiles;
  readonly stay: () => Stay;
  readonly sharedKey: string;
  readonly clock: Clock;
}

/** What a client offers on its session, as the engine asks for it. */
export function remoteHost(o: RemoteHostOptions): BuildHost {
  const { connection, offers } = o;
  const need = (method: string, what: string): void => {
    if (!offers(method))
      throw sessionError('SESSION_NOT_OFFERED', `use ${what}: the client does not offer any`, {
        remedy: 'Give it to the build.',
      });
  };
  return {
    files: (name) => {
      need(DIFF_COPY, `files "${name}"`);
      return remoteFiles(name, o);
    },

    async secret(id, w) {
      if (!offers('/moby.buildkit.secrets.v1.Secrets/GetSecret')) return undefined;
      const answer = await ask(`ask for secret "${id}"`, o, w, async (options) =>
        connection.client(Secrets).getSecret({ ID: id }, options),
      );
      return answer?.data;
    },

    async agent(id, w): Promise<ByteChannel> {
      need('/moby.sshforward.v1.SSH/ForwardAgent', `ssh agent "${id}"`);
      return remoteAgent(connection, id, w);
    },

    async credentials(registry, scopes, w): Promise<Credential | undefined> {
      if (!offers('/moby.filesync.v1.Auth/Credentials')) return undefined;
      const host = ['docker.io', 'index.docker.io'].includes(registry) ? HUB : registry;
      const client = connection.client(Auth);
      const answer = await ask(`ask for the login of "${registry}"`, o, w, async (options) =>
        client.credentials({ Host: host }, options),
      );
      if (answer && answer.Secret !== '')
        return answer.Username === ''
          ? { kind: 'identity-token', secret: answer.Secret }
          : { kind: 'password', username: answer.Username, secret: answer.Secret };
      return token(host, scopes, w);
    },

    blobs: (store) => {
      need('/containerd.services.content.v1.Content/Info', `store "${store}"`);
      return remoteBlobs(connection, store);
    },

    sink: (name) => remoteSink(name, { connection, need }),
  };

  /** A token that the client has ready (`registrytoken` of Docker's configuration): it shares that, and neither name nor password. */
  async function token(host: string, scopes: readonly string[], w?: Wait): Promise<Credential | undefined> {
    if (!offers('/moby.filesync.v1.Auth/FetchToken')) return undefined;
    try {
      const options = { ...(w?.signal && { signal: w.signal }), timeoutMs: ANSWER_MS };
      const { Token: secret } = await connection
        .client(Auth)
        .fetchToken({ ClientID: 'strake', Host: host, Scopes: [...scopes] }, options);
      return secret === '' ? undefined : { kind: 'bearer', secret };
    } catch {
      // Without one, and without a realm to ask, the client finds nothing: the registry is asked as nobody.
      throwIfCancelled(w);
      return undefined;
    }
  }
}

/** Undefined for what the client has not. */
async function ask<T>(
  action: string,
  o: RemoteHostOptions,
  w: Wait | undefined,
  call: (options: { signal?: AbortSignal; timeoutMs: number }) => Promise<T>,
): Promise<T | undefined> {
  throwIfCancelled(w);
  try {
    return await call({ ...(w?.signal && { signal: w.signal }), timeoutMs: ANSWER_MS });
  } catch (error) {
    throwIfCancelled(w);
    if (o.gone.aborted) throw o.gone.reason as CodedError;
    const failure = fromStatus(error, action);
    if (['not_found', 'unsupported'].includes(kindOf(failure))) return undefined;
    throw failure;
  }
}
