import { hasErrno, messageOf, type Random, type Wait } from '../../base/index.ts';
import { Credentials, type Credential, type CredentialLookup } from '../../registry/index.ts';
import { lifecycleError } from './errors.ts';
import { parseBool } from './parse-flags.ts';

const HUB = ['index.docker.io', 'docker.io', 'registry-1.docker.io'];
const hostOf = (registry: string): string => (HUB.includes(registry) ? 'docker.io' : registry);

/** Clouds whose registries are asked for a login where no file has one. */
export type CloudLogin = (
  way: 'ecr' | 'acr',
  o: { readonly registry: string } & Wait,
) => Promise<Credential | undefined>;

/** By the host of a registry, and the variable that keeps the way closed. */
const CLOUDS = [
  {
    way: 'ecr',
    host: /\.(amazonaws\.com|amazonaws\.com\.cn|on\.aws)$/,
    skip: 'CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AMAZON',
  },
  { way: 'acr', host: /\.azurecr\.(io|cn|us|de)$/, skip: 'CNB_REGISTRY_AUTH_KEYCHAIN_SKIP_AZURE' },
] as const;

/**
 * Logins in the lifecycle's order (platform.md, Registry Authentication): CNB_REGISTRY_AUTH, then config.json with its helpers, then Amazon's and Azure's own ways. What was asked once is kept, so that a phase that gives up being root can ask before it does.
 */
export function phaseLogins(o: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly random: Random;
  readonly warn: (message: string) => void;
  readonly cloud: CloudLogin;
}): CredentialLookup {
  const given = parseRegistryAuth(o.env['CNB_REGISTRY_AUTH'] ?? '');
  const files = new Credentials({ ...o, uid: process.getuid?.() });
  const known = new Map<string, Promise<Credential | undefined>>();
  const find = async (target: Parameters<CredentialLookup>[0], w?: Wait): Promise<Credential | undefined> => {
    let found: Credential | undefined;
    try {
      found = await files.lookup(target, w);
    } catch (error) {
      // Root's own files, after it has been given up.
      if (!hasErrno(error, 'EACCES', 'EPERM')) throw error;
    }
    const cloud = CLOUDS.find(({ host }) => host.test(target.registry));
    if (found || !cloud || parseBool(o.env[cloud.skip] ?? '') === true) return found;
    try {
      return await o.cloud(cloud.way, { ...w, registry: target.registry });
    } catch (error) {
      o.warn(`no login for "${target.registry}": ${messageOf(error)}`);
      return undefined;
    }
  };
  return async (target, w) => {
    const own = given.get(hostOf(target.registry));
    if (own) return own;
    const key = `${target.registry}/${target.repository ?? ''}`;
    let asked = known.get(key);
    if (!asked) known.set(key, (asked = find(target, w)));
    return asked;
  };
}

/** CNB_REGISTRY_AUTH: a JSON object of registries and what their requests say in `Authorization`. Its text never appears in a message. Throws `LIFECYCLE_FLAG_INVALID`. */
export function parseRegistryAuth(text: string): ReadonlyMap<string, Credential> {
  const found = new Map<string, Credential>();
  if (text.trim() === '') return found;
  const fail = (detail: string): Error =>
    lifecycleError('LIFECYCLE_FLAG_INVALID', `read CNB_REGISTRY_AUTH: ${detail}`, {
      remedy: 'Set it to {"<registry>": "Basic <base64>"}, "Bearer <token>" or "X-Identity <token>".',
    });
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw fail('it is no JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw fail('it is no JSON object');
  for (const [registry, value] of Object.entries(parsed)) {
    const [, scheme = '', secret = ''] = (typeof value === 'string' && /^(\S+) +(\S+)\s*$/.exec(value)) || [];
    const credential = credentialOf(scheme, secret);
    if (!credential) throw fail(`what it says for "${registry}" is none of these`);
    found.set(hostOf(registry.replace(/^https?:\/\//, '').split('/')[0] ?? ''), credential);
  }
  return found;
}

function credentialOf(scheme: string, secret: string): Credential | undefined {
  if (secret === '') return undefined;
  if (scheme === 'Bearer') return { kind: 'bearer', secret };
  if (scheme === 'X-Identity') return { kind: 'identity-token', secret };
  if (scheme !== 'Basic') return undefined;
  const plain = Buffer.from(secret, 'base64').toString();
  const colon = plain.indexOf(':');
  return colon < 0 ? undefined : { kind: 'password', username: plain.slice(0, colon), secret: plain.slice(colon + 1) };
}
