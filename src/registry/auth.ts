import {
  collect,
  Flight,
  hasCode,
  unlessCancelled,
  type Clock,
  type HttpRequest,
  type HttpResponse,
  type Wait,
} from '../base/index.ts';
import { parseChallenges } from './challenge.ts';
import type { Credential } from './credential.ts';
import { registryError } from './errors.ts';
import { mergeScopes, type Scope } from './repository.ts';
import { checkTarget } from './target.ts';

export interface AuthenticatorOptions {
  /** The registry as users name it, for messages. */
  readonly registry: string;
  readonly clock: Clock;
  readonly credential: (repository: string | undefined, w?: Wait) => Promise<Credential | undefined>;
  /** Asks a token server: redirects followed and failures tried again, with no authorization of its own. */
  readonly send: (
    request: Omit<HttpRequest, 'body'> & { readonly body?: Uint8Array; readonly what: string },
  ) => Promise<HttpResponse>;
}

type Demand =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: URL; readonly service: string | undefined };

interface Token {
  readonly header: string;
  readonly expiresAt: number;
}

const TOKEN_LIMIT = 64 * 1024;
/** Milliseconds before its end at which a token is not used any more. */
const MARGIN = 2_000;

/**
 * Logs in at one registry (distribution docs, spec/auth: token.md, oauth.md). What the registry asked for once is remembered, so that later requests bring their token along; tokens are kept
 * for each set of scopes until they expire.
 */
export class Authenticator {
  readonly #o: AuthenticatorOptions;
  readonly #tokens = new Map<string, Token>();
  readonly #demanded = new Map<string, readonly Scope[]>();
  readonly #credentials = new Map<string, Promise<Credential | undefined>>();
  readonly #flight = new Flight<Token>();
  #demand: Demand | undefined;

  constructor(options: AuthenticatorOptions) {
    this.#o = options;
  }

  /** The Authorization header for a request that needs `scopes`; undefined while the registry has not asked for one. */
  async header(scopes: readonly Scope[], w?: Wait): Promise<string | undefined> {
    if (!this.#demand) return undefined;
    const credential = await this.#credential(scopes, w);
    if (credential?.kind === 'bearer') return `Bearer ${credential.secret}`;
    if (this.#demand.kind === 'basic') return credential && basic(credential);
    return (await this.#token(this.#demand, scopes, credential, w)).header;
  }

  /**
   * What to send after a 401 to a request that was sent with `used`; undefined when there is nothing else to try. `from` is the URL that answered.
   */
  async answer(
    response: HttpResponse,
    o: { readonly scopes: readonly Scope[]; readonly used: string | undefined; readonly from: URL } & Wait,
  ): Promise<string | undefined> {
    const challenge = parseChallenges(response.all('www-authenticate')).find(
      ({ scheme }) => scheme === 'basic' || scheme === 'bearer',
    );
    if (!challenge) return undefined;
    const key = keyOf(o.scopes);
    if (challenge.scheme === 'basic') this.#demand = { kind: 'basic' };
    else {
      const realm = URL.parse(challenge.parameters.get('realm') ?? '', o.from);
      if (!realm || !challenge.parameters.has('realm'))
        throw registryError('REGISTRY_PROTOCOL', `log in to "${this.#o.registry}": it names no token server`);
      checkTarget(realm, o.from, `log in to "${this.#o.registry}"`);
      this.#demand = { kind: 'bearer', realm, service: challenge.parameters.get('service') };
      const demanded = (challenge.parameters.get('scope') ?? '').split(/\s+/).filter((scope) => scope !== '');
      this.#demanded.set(key, mergeScopes(o.scopes, [...demanded, ...(this.#demanded.get(key) ?? [])]));
    }
    if (o.used !== undefined) {
      this.#tokens.delete(key);
      const old = await this.#credential(o.scopes, o);
      this.#credentials.clear();
      // A password or a ready token that was refused once is refused again, unless the one who gave it has another by now.
      if (!o.used.startsWith('Bearer ') || old?.kind === 'bearer') {
        const next = await this.header(o.scopes, o);
        return next === o.used ? undefined : next;
      }
    }
    return this.header(o.scopes, o);
  }

  /** The user that requests for `scopes` are made as. */
  async user(scopes: readonly Scope[]): Promise<string | undefined> {
    const credential = await this.#credential(scopes).catch(() => undefined);
    return credential && (credential.username ?? 'the holder of the token');
  }

  /** Looked up once for each repository: the first scope says whose. */
  #credential(scopes: readonly Scope[], w?: Wait): Promise<Credential | undefined> {
    const repository = /^repository:(.*):[^:]*$/.exec(scopes[0] ?? '')?.[1];
    let known = this.#credentials.get(repository ?? '');
    if (!known) {
      known = this.#o.credential(repository);
      known.catch(() => this.#credentials.delete(repository ?? ''));
      this.#credentials.set(repository ?? '', known);
    }
    return unlessCancelled(known, w);
  }

  async #token(
    demand: Demand & { kind: 'bearer' },
    asked: readonly Scope[],
    credential: Credential | undefined,
    w?: Wait,
  ): Promise<Token> {
    const key = keyOf(asked);
    const known = this.#tokens.get(key);
    if (known && known.expiresAt - MARGIN > this.#o.clock.now()) return known;
    const scopes = this.#demanded.get(key) ?? mergeScopes(asked, []);
    // The work is shared: one asker's cancellation ends that one's wait only.
    const token = await unlessCancelled(
      this.#flight.run(key, () => this.#fetch(demand, scopes, credential)),
      w,
    );
    this.#tokens.set(key, token);
    return token;
  }

  async #fetch(
    demand: Demand & { kind: 'bearer' },
    scopes: readonly Scope[],
    credential: Credential | undefined,
  ): Promise<Token> {
    const what = `log in to "${this.#o.registry}"`;
    const asked = this.#o.clock.now();
    if (credential?.kind === 'identity-token') {
      const form = new URLSearchParams({
        grant_type: 'refresh_token',
        client_id: 'strake',
        refresh_token: credential.secret,
      });
      if (demand.service !== undefined) form.set('service', demand.service);
      if (scopes.length > 0) form.set('scope', scopes.join(' '));
      await using response = await this.#o.send({
        what,
        method: 'POST',
        url: demand.realm,
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: Buffer.from(form.toString()),
      });
      // A token server without OAuth2 does not know the POST; it may take the token as a password.
      if (response.status !== 404 && response.status !== 405)
        return await this.#read(response, { asked, credential, what });
    }
    const url = new URL(demand.realm);
    if (demand.service !== undefined) url.searchParams.append('service', demand.service);
    for (const scope of scopes) url.searchParams.append('scope', scope);
    if (credential) url.searchParams.append('client_id', 'strake');
    if (credential?.username !== undefined && credential.kind === 'password')
      url.searchParams.append('account', credential.username);
    await using response = await this.#o.send({
      what,
      method: 'GET',
      url,
      headers: credential ? { authorization: basic(credential) } : {},
    });
    return await this.#read(response, { asked, credential, what });
  }

  async #read(
    response: HttpResponse,
    o: { asked: number; credential: Credential | undefined; what: string },
  ): Promise<Token> {
    const { what } = o;
    const text = await collect(response.body, { limit: TOKEN_LIMIT }).then(
      (bytes) => Buffer.from(bytes).toString(),
      (error: unknown) => {
        if (hasCode(error, 'TOO_MANY_BYTES'))
          throw registryError(
            'REGISTRY_PROTOCOL',
            `${what}: the answer of its token server is longer than ${TOKEN_LIMIT} bytes`,
          );
        throw error;
      },
    );
    if (response.status === 401 || response.status === 403 || response.status === 400)
      throw registryError(
        'REGISTRY_UNAUTHORIZED',
        o.credential
          ? `${what}: its token server refused the login${o.credential.username === undefined ? '' : ` of "${o.credential.username}"`}`
          : `${what}: its token server gives nothing without a login`,
        { remedy: `Log in with "strake login ${this.#o.registry}".` },
      );
    if (response.status !== 200)
      throw registryError(
        response.status === 429 ? 'REGISTRY_LIMITED' : response.status >= 500 ? 'REGISTRY_FAILED' : 'REGISTRY_PROTOCOL',
        `${what}: its token server answered ${response.status}`,
      );
    const answer = parse(text);
    const token = answer?.['token'] || answer?.['access_token'];
    if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
      throw registryError('REGISTRY_PROTOCOL', `${what}: the answer of its token server holds no token`);
    const seconds = Number(answer?.['expires_in']);
    const refresh = answer?.['refresh_token'];
    if (typeof refresh === 'string' && o.credential?.kind === 'identity-token' && refresh !== o.credential.secret)
      for (const [repository, known] of this.#credentials)
        if ((await known)?.secret === o.credential.secret)
          this.#credentials.set(repository, Promise.resolve({ ...o.credential, secret: refresh }));
    return {
      header: `Bearer ${token}`,
      expiresAt: o.asked + (Number.isFinite(seconds) && seconds > 0 ? seconds : 60) * 1000,
    };
  }
}

function keyOf(scopes: readonly Scope[]): string {
  return [...scopes].sort().join(' ');
}

function basic(credential: Credential): string {
  const user = credential.username ?? '<token>';
  return `Basic ${Buffer.from(`${user}:${credential.secret}`).toString('base64')}`;
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
