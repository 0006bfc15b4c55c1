import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { messageOf } from '../../base/index.ts';
import { parseReference } from '../../image/index.ts';
import { apiHost, RETRY, type Mirror, type RegistrySettings } from '../../registry/index.ts';
import { executorError } from './errors.ts';
import { bad, type Values } from './values.ts';

/** How registries are reached, and who asks. */
export interface RegistryOptions {
  readonly settings: RegistrySettings;
  readonly acceptImmutable: boolean;
  /** Sources of logins beside the files, in order. */
  readonly helpers: readonly string[];
}

const HELPERS = ['env', 'google', 'ecr', 'acr', 'gitlab'];
/** What go-containerregistry, and so kaniko's maps, call Docker Hub. */
const HUB = ['index.docker.io', 'docker.io', 'registry-1.docker.io'];

/** Registry flags as the registry room's settings. Throws `FLAG_INVALID` and `CERTIFICATE_UNREADABLE`. */
export function registryOptions(
  values: Values,
  o: {
    readonly cwd: string;
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly destinations: readonly string[];
  },
): RegistryOptions {
  const targets = o.destinations.map((name) => parseReference(name).registry);
  const mirrors = mirrorsOf(values, o.env);
  const certificates = certificatesOf(values, o.cwd);
  const more = Math.max(values.int('push-retry'), values.int('image-download-retry'), 0);
  const only = values.bool('skip-default-registry-fallback');
  const pulled = values.bool('skip-tls-verify-pull');
  return {
    settings: {
      insecure: [
        ...values.list('insecure-registry'),
        ...(values.bool('insecure') ? targets : []),
        ...(values.bool('insecure-pull') ? ['*'] : []),
      ],
      skipVerify: [
        ...values.list('skip-tls-verify-registry'),
        ...(values.bool('skip-tls-verify') || pulled ? ['*'] : []),
      ],
      certificates: (host) => certificates.get(host) ?? {},
      mirrors: (registry) => mirrors.get(HUB.includes(registry) ? 'docker.io' : registry) ?? [],
      mirrorsOnly: () => only,
      retry: { attempts: RETRY.attempts + more },
    },
    acceptImmutable: values.bool('push-ignore-immutable-tag-errors'),
    helpers: helpersOf(values.list('credential-helpers')),
  };
}

function helpersOf(given: readonly string[]): readonly string[] {
  if (given.length === 0) return HELPERS;
  for (const name of given)
    if (name !== '' && !HELPERS.includes(name))
      throw bad('--credential-helpers', name, `use one of ${HELPERS.join(', ')}`);
  return given.filter((name) => name !== '');
}

/** --registry-map, then --registry-mirror and KANIKO_REGISTRY_MIRROR for Docker Hub: `host[:port][/path]`. */
function mirrorsOf(
  values: Values,
  env: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, readonly Mirror[]> {
  const found = new Map<string, Mirror[]>();
  const add = (registry: string, text: string): void => {
    const slash = text.indexOf('/');
    const path = slash < 0 ? '' : text.slice(slash + 1).replace(/\/+$/, '');
    const mirror: Mirror = {
      host: slash < 0 ? text : text.slice(0, slash),
      path: path === '' ? undefined : path,
      capabilities: ['pull', 'resolve'],
    };
    const name = HUB.includes(registry) ? 'docker.io' : registry;
    const own = found.get(name);
    if (own) own.push(mirror);
    else found.set(name, [mirror]);
  };
  for (const [registry, targets] of values.map('registry-map')) for (const target of targets) add(registry, target);
  const fromEnv = env['KANIKO_REGISTRY_MIRROR'];
  for (const mirror of [
    ...values.list('registry-mirror'),
    ...(fromEnv === undefined || fromEnv === '' ? [] : [fromEnv]),
  ])
    add('docker.io', mirror);
  return found;
}

interface Certificates {
  ca?: readonly string[];
  clientCertificate?: { readonly cert: string; readonly key: string };
}

/** By the host that is spoken to. */
function certificatesOf(values: Values, cwd: string): ReadonlyMap<string, Certificates> {
  const found = new Map<string, Certificates>();
  const of = (registry: string): Certificates => {
    const host = apiHost(registry);
    const own = found.get(host) ?? {};
    found.set(host, own);
    return own;
  };
  const read = (registry: string, path: string): string => {
    try {
      return readFileSync(resolve(cwd, path), 'utf8');
    } catch (error) {
      throw executorError(
        'CERTIFICATE_UNREADABLE',
        `read certificate "${path}" for "${registry}": ${messageOf(error)}`,
        {
          cause: error,
        },
      );
    }
  };
  for (const [registry, path] of values.pairs('registry-certificate')) of(registry).ca = [read(registry, path)];
  for (const [registry, paths] of values.pairs('registry-client-cert')) {
    const [cert, key, ...rest] = paths.split(',');
    if (cert === undefined || key === undefined || rest.length > 0)
      throw bad(
        '--registry-client-cert',
        `${registry}=${paths}`,
        'expected format: registry=/path/to/cert,/path/to/key',
      );
    of(registry).clientCertificate = { cert: read(registry, cert), key: read(registry, key) };
  }
  return found;
}
