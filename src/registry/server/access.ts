import type { Clock, Random } from '../../base/index.ts';

export type Action = 'pull' | 'push' | 'delete';

/** Who may do what at a registry server. Nothing is asked for without it. */
export type AccessRules =
  | { readonly kind: 'basic'; readonly check: CheckLogin }
  | {
      readonly kind: 'token';
      readonly check: CheckLogin;
      /** Whether a user, or nobody, may do this; everybody who is logged in by default. */
      readonly allow?: ((user: string | undefined, repository: string, action: Action) => boolean) | undefined;
      /** Seconds that a token is good for; 300 by default. */
      readonly lifetime?: number | undefined;
    };

export type CheckLogin = (user: string, password: string) => boolean | Promise<boolean>;

export interface Need {
  readonly repository: string;
  readonly actions: readonly Action[];
}

/** `ok`, or the challenge to send with a 401. */
export type Verdict =
  | { readonly kind: 'ok' }
  | { readonly kind: 'login'; readonly challenge: string; readonly known: boolean };

export interface TokenAnswer {
  readonly token: string;
  readonly access_token: string;
  readonly expires_in: number;
  readonly refresh_token?: string | undefined;
}

/** Checks requests, and is the token server at `/token` (distribution docs, spec/auth) where tokens are used. Tokens live in memory. */
export class Access {
  readonly #rules: AccessRules | undefined;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #tokens = new Map<string, { readonly grants: ReadonlySet<string>; readonly expiresAt: number }>();
  readonly #refresh = new Map<string, string>();

  constructor(rules: AccessRules | undefined, o: { clock: Clock; random: Random }) {
    this.#rules = rules;
    this.#clock = o.clock;
    this.#random = o.random;
  }

  get givesTokens(): boolean {
    return this.#rules?.kind === 'token';
  }

  /** `base` is how the client reaches us. */
  async check(authorization: string | undefined, need: readonly Need[], base: string): Promise<Verdict> {
    const rules = this.#rules;
    if (!rules) return { kind: 'ok' };
    if (rules.kind === 'basic') {
      const login = readBasic(authorization);
      if (login && (await rules.check(login.user, login.password))) return { kind: 'ok' };
      return { kind: 'login', challenge: 'Basic realm="strake registry"', known: false };
    }
    const scopes = need.map(({ repository, actions }) => `repository:${repository}:${actions.join(',')}`);
    const token = this.#tokens.get(/^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? '');
    const live = token !== undefined && token.expiresAt > this.#clock.now() ? token : undefined;
    const granted =
      live &&
      need.every(({ repository, actions }) => actions.every((action) => live.grants.has(`${repository} ${action}`)));
    if (granted) return { kind: 'ok' };
    const scope = scopes.length === 0 ? '' : `,scope="${scopes.join(' ')}"`;
    const error = authorization === undefined ? '' : `,error="${live ? 'insufficient_scope' : 'invalid_token'}"`;
    return {
      kind: 'login',
      challenge: `Bearer realm="${base}/token",service="strake registry"${scope}${error}`,
      known: live !== undefined,
    };
  }

  /** Answers `GET /token`. Undefined when the login is wrong. */
  async tokenByLogin(authorization: string | undefined, query: URLSearchParams): Promise<TokenAnswer | undefined> {
    const login = readBasic(authorization);
    if (authorization !== undefined && !(login && (await this.#rules?.check(login.user, login.password))))
      return undefined;
    return this.#issue(login?.user, query.getAll('scope'), query.get('offline_token') === 'true');
  }

  /** Answers `POST /token`, OAuth2's refresh and password grants. */
  async tokenByForm(form: URLSearchParams): Promise<TokenAnswer | undefined> {
    const scopes = (form.get('scope') ?? '').split(' ');
    if (form.get('grant_type') === 'refresh_token') {
      const user = this.#refresh.get(form.get('refresh_token') ?? '');
      return user === undefined ? undefined : this.#issue(user, scopes, false);
    }
    if (form.get('grant_type') !== 'password') return undefined;
    const user = form.get('username') ?? '';
    if (!(await this.#rules?.check(user, form.get('password') ?? ''))) return undefined;
    return this.#issue(user, scopes, form.get('access_type') === 'offline');
  }

  #issue(user: string | undefined, scopes: readonly string[], offline: boolean): TokenAnswer {
    const rules = this.#rules;
    const allow =
      (rules?.kind === 'token' ? rules.allow : undefined) ?? ((who: string | undefined) => who !== undefined);
    const lifetime = (rules?.kind === 'token' ? rules.lifetime : undefined) ?? 300;
    const grants = new Set<string>();
    for (const scope of scopes.flatMap((text) => text.split(' '))) {
      const [, repository = '', actions = ''] = /^repository:(.+):([^:]*)$/.exec(scope) ?? [];
      for (const action of actions.split(',') as Action[])
        if (repository !== '' && allow(user, repository, action)) grants.add(`${repository} ${action}`);
    }
    const now = this.#clock.now();
    for (const [token, { expiresAt }] of this.#tokens) if (expiresAt <= now) this.#tokens.delete(token);
    const token = this.#random.hex(24);
    this.#tokens.set(token, { grants, expiresAt: now + lifetime * 1000 });
    const refresh = offline && user !== undefined ? this.#random.hex(24) : undefined;
    if (refresh !== undefined && user !== undefined) this.#refresh.set(refresh, user);
    return {
      token,
      access_token: token,
      expires_in: lifetime,
      ...(refresh !== undefined && { refresh_token: refresh }),
    };
  }
}

function readBasic(authorization: string | undefined): { user: string; password: string } | undefined {
  const encoded = /^Basic (.+)$/i.exec(authorization ?? '')?.[1];
  if (encoded === undefined) return undefined;
  const text = Buffer.from(encoded, 'base64').toString();
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}
