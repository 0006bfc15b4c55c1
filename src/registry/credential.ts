import type { Wait } from '../base/index.ts';

/** How to log in at a registry. */
export interface Credential {
  readonly username?: string | undefined;
  /** A password, or an identity (refresh) token when `kind` is `identity-token`; a ready bearer token when `bearer`. */
  readonly secret: string;
  readonly kind: 'password' | 'identity-token' | 'bearer';
}

/** The credential for a registry or, where some are for parts of it only, for a repository of it. */
export type CredentialLookup = (
  target: { readonly registry: string; readonly repository?: string | undefined },
  w?: Wait,
) => Promise<Credential | undefined>;
