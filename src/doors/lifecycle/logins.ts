import { hasErrno, type Random } from '../../base/index.ts';
import { Credentials, type Credential, type CredentialLookup } from '../../registry/index.ts';
import { lifecycleError } from './errors.ts';

const HUB = ['index.docker.io', 'docker.io', 'registry-1.docker.io'];
const hostOf = (registry: string): string => (HUB.includes(registry) ? 'docker.io' : registry);

/**
 * Logins in the lifecycle's order (platform.md, Registry Authentication): CNB_REGISTRY_AUTH, then config.json with its helpers. What was asked once is kept, so that a phase that gives up being root can ask before it does.
 */
export function phaseLogins(o: {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly home: string;
  readonly random: Random;
  readonly warn: (message: string) => void;
}): CredentialLookup {
  const given = parseRegistryAuth(o.env['CNB_REGISTRY_AUTH'] ?? '');
  const files = new Credentials({ ...o, uid: process.getuid?.() });
  const known = new Map<string, Promise<Credential | undefined>>();
  return async (target, w) => {
    const own = given.get(hostOf(target.registry));
    if (own) return own;
    const key = `${target.registry}/${target.repository ?? ''}`;
    let asked = known.get(key);
    if (!asked) known.set(key, (asked = files.lookup(target, w)));
    try {
      return await asked;
    } catch (error) {
      // Root's own files, after it has been given up.
      if (hasErrno(error, 'EACCES', 'EPERM')) return undefined;
      throw error;
    }
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
