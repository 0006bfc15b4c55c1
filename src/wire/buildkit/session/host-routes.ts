import { createHmac, createPrivateKey, createPublicKey, sign, type KeyObject } from 'node:crypto';
import type { Bytes } from '../../../base/index.ts';
import { isDigest, type Descriptor, type Digest } from '../../../blob/index.ts';
import type { BuildHost } from '../../../worker/index.ts';
import { Auth } from '../../gen/buildkit/auth_pb.ts';
import { Secrets } from '../../gen/buildkit/secrets_pb.ts';
import { SSH } from '../../gen/buildkit/ssh_pb.ts';
import { Content } from '../../gen/containerd/content_pb.ts';
import { Health, HealthCheckResponse_ServingStatus } from '../../gen/grpc/health_pb.ts';
import { Code, StatusError, type Router, type DescService, type HandlerContext } from '../../grpc/index.ts';
import { writeContent } from './write-content.ts';
import { sessionError } from './errors.ts';
import type { SessionOffer, SessionStore, TokenAuthority } from './session-offer.ts';
import { STORE_HEADER } from './remote-blobs.ts';

/** Docker Hub as Docker's logins know it. */
const HUB = 'docker.io';
const PIECE = 1 << 20;
/** An ed25519 key of a seed, in PKCS#8 (RFC 8410). */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The calls of a session with one answer, and content. */
export function hostRoutes(
  host: BuildHost,
  o: SessionOffer,
): { readonly routes: (router: Router) => void; readonly methods: readonly string[] } {
  const methods: string[] = ['/grpc.health.v1.Health/Check', '/grpc.health.v1.Health/Watch'];
  const parts: ((router: Router) => void)[] = [
    (router) =>
      router.service(Health, {
        check: () => ({ status: HealthCheckResponse_ServingStatus.SERVING }),
      }),
  ];
  const offer = (service: DescService, part: (router: Router) => void): void => {
    for (const method of service.methods) methods.push(`/${service.typeName}/${method.name}`);
    parts.push(part);
  };
  if (o.secrets === true)
    offer(Secrets, (router) =>
      router.service(Secrets, {
        getSecret: async ({ ID }, context) => {
          const data = await host.secret(ID, { signal: context.signal });
          if (data === undefined) throw new StatusError(Code.NotFound, `secret ${ID}: not found`);
          return { data };
        },
      }),
    );
  if (o.agents === true)
    offer(SSH, (router) =>
      router.service(SSH, {
        checkAgent: async ({ ID }, context) => {
          await using channel = await host.agent(ID === '' ? 'default' : ID, { signal: context.signal });
          void channel;
          return {};
        },
      }),
    );
  if (o.credentials === true || o.tokens) offer(Auth, (router) => authRoutes(router, host, o.tokens));
  if (o.stores && o.stores.size > 0) offer(Content, (router) => contentRoutes(router, o.stores!));
  return { routes: (router) => parts.forEach((part) => part(router)), methods: [...new Set(methods)] };
}

function hubName(host: string): string {
  return host === 'registry-1.docker.io' ? HUB : host;
}

function authRoutes(router: Router, host: BuildHost, tokens: TokenAuthority | undefined): void {
  const authority = async (name: string, salt: Uint8Array): Promise<KeyObject> => {
    if (!tokens) throw new StatusError(Code.Unavailable, 'this client fetches no tokens');
    const seed = await tokens.seed(hubName(name));
    const mac = createHmac('sha256', salt);
    if (seed) mac.update(seed);
    return createPrivateKey({ key: Buffer.concat([PKCS8, mac.digest()]), format: 'der', type: 'pkcs8' });
  };
  router.service(Auth, {
    credentials: async ({ Host }, context) => {
      const credential = await host.credentials(hubName(Host), [], { signal: context.signal });
      if (!credential || credential.kind === 'bearer') return {};
      return credential.kind === 'identity-token'
        ? { Secret: credential.secret }
        : { Username: credential.username ?? '', Secret: credential.secret };
    },
    fetchToken: async (request, context) => {
      const name = hubName(request.Host);
      const ready = await host.credentials(name, request.Scopes, { signal: context.signal });
      if (ready?.kind === 'bearer') return { Token: ready.secret, ExpiresIn: 60n };
      if (!tokens) throw new StatusError(Code.Unimplemented, 'this client fetches no tokens');
      const {
        token,
        expiresIn = 60,
        issuedAt,
      } = await tokens.fetch({
        clientId: request.ClientID,
        host: name,
        realm: request.Realm,
        service: request.Service,
        scopes: request.Scopes,
        signal: context.signal,
      });
      return {
        Token: token,
        ExpiresIn: BigInt(expiresIn),
        ...(issuedAt !== undefined && { IssuedAt: BigInt(issuedAt) }),
      };
    },
    getTokenAuthority: async ({ Host, Salt }) => {
      const key = createPublicKey(await authority(Host, Salt)).export({ format: 'der', type: 'spki' });
      return { PublicKey: key.subarray(-32) };
    },
    verifyTokenAuthority: async ({ Host, Salt, Payload }) => ({
      Signed: Buffer.concat([sign(null, Payload, await authority(Host, Salt)), Payload]),
    }),
  });
}

function contentRoutes(router: Router, stores: NonNullable<SessionOffer['stores']>): void {
  const choose = (context: HandlerContext): SessionStore => {
    const id = context.headers.get(STORE_HEADER)?.split(',')[0]?.trim() ?? '';
    const store = stores.get(id);
    if (!store) throw sessionError('SESSION_NOT_OFFERED', `use store "${id}": it was not offered`);
    return store;
  };
  router.service(Content, {
    info: async ({ digest }, context) => {
      const descriptor = described(digest);
      const signal = { signal: context.signal };
      if (!(await choose(context).has(descriptor, signal)))
        throw new StatusError(Code.NotFound, `content ${digest}: not found`);
      return { info: { digest, size: BigInt(await sizeOf(choose(context), descriptor.digest, signal)) } };
    },
    async *read({ digest, offset, size }, context) {
      // A range even where it is all: a whole read would be held against a size that is not in the request.
      const length = size > 0n ? Number(size) : Number.MAX_SAFE_INTEGER;
      const o = { offset: Number(offset), length, signal: context.signal };
      let at = Number(offset);
      for await (const chunk of await choose(context).open(described(digest), o))
        for (let from = 0; from < chunk.length; from += PIECE) {
          const data = chunk.subarray(from, from + PIECE);
          yield { offset: BigInt(at), data };
          at += data.length;
        }
    },
    write: (requests, context) => writeContent(requests, choose(context), { signal: context.signal }),
    abort: () => ({}),
    status: ({ ref }) => {
      throw new StatusError(Code.NotFound, `ingest ${ref}: not found`);
    },
    listStatuses: () => ({ statuses: [] }),
    update: ({ info }) => ({ ...(info && { info }) }),
  });
}

function described(digest: string): Descriptor {
  if (!isDigest(digest)) throw new StatusError(Code.InvalidArgument, `"${digest}" is no digest`);
  return { mediaType: 'application/octet-stream', digest, size: -1 };
}

/** What is asked for has no size in the request; where the store does not tell, the blob is read to find it out. */
async function sizeOf(store: SessionStore, digest: Digest, w: { signal: AbortSignal }): Promise<number> {
  if (store.sizeOf) return store.sizeOf(digest);
  let size = 0;
  const content: Bytes = await store.open(
    { mediaType: '', digest, size: -1 },
    { offset: 0, length: Number.MAX_SAFE_INTEGER, ...w },
  );
  for await (const chunk of content) size += chunk.length;
  return size;
}
