import { existsSync } from 'node:fs';
import { messageOf, type Random } from '../../../base/index.ts';
import { Credentials, type Credential, type CredentialLookup } from '../../../registry/index.ts';
import type { Cloud } from '../../../cloud/index.ts';
import type { Log } from '../log.ts';
import { loginFromEnv, loginFromGitlab } from './env.ts';

const KANIKO_CONFIG = '/kaniko/.docker';

/** The environment with the place where kaniko's image looks for config.json, unless another one is named. */
export function withDockerConfig(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const named = env['DOCKER_CONFIG'] !== undefined && env['DOCKER_CONFIG'] !== '';
  return named || !existsSync(`${KANIKO_CONFIG}/config.json`) ? env : { ...env, DOCKER_CONFIG: KANIKO_CONFIG };
}

/** Logins in kaniko's order (pkg/creds/creds.go): DOCKER_AUTH_CONFIG and the files with their helpers, then each of `helpers`. What a helper fails on is no login. */
export function logins(o: {
  readonly cloud: Cloud;
  readonly random: Random;
  readonly helpers: readonly string[];
  readonly log: Log;
}): CredentialLookup {
  const { cloud, log } = o;
  const env = withDockerConfig(cloud.env);
  const files = new Credentials({
    env,
    home: cloud.home,
    uid: process.getuid?.(),
    random: o.random,
    warn: (message) => log.warn(message),
  });
  const known = new Map<string, Promise<Credential | undefined>>();
  const first = env['DOCKER_AUTH_CONFIG'] === undefined ? [] : ['env:DOCKER_AUTH_CONFIG'];
  log.info(`credential providers by priority: [${[...first, 'files', ...o.helpers].join(', ')}]`);
  if (o.helpers.length === 0) log.info('all credential helpers disabled');
  return async (target, w) => {
    const found = await files.lookup(target, w);
    if (found) return found;
    for (const helper of o.helpers) {
      const key = `${helper} ${target.registry}`;
      const asked = known.get(key) ?? loginFromHelper(helper, target.registry, cloud, w ?? {});
      known.set(key, asked);
      try {
        const login = await asked;
        if (login) return login;
      } catch (error) {
        log.debug(`no login for ${target.registry} by ${helper}: ${messageOf(error)}`);
      }
    }
    return undefined;
  };
}

/** A login by one way: `env`, `gitlab`, or a cloud's own (`google`, `ecr`, `acr`), undefined where it is for other registries. */
export async function loginFromHelper(
  helper: string,
  registry: string,
  cloud: Cloud,
  w: { readonly signal?: AbortSignal | undefined },
): Promise<Credential | undefined> {
  // go-containerregistry, whose names kaniko's variables are made of, calls Docker Hub so.
  if (helper === 'env') return loginFromEnv(registry === 'docker.io' ? 'index.docker.io' : registry, cloud.env);
  if (helper === 'gitlab') return loginFromGitlab(registry, cloud.env);
  const { loginFromAcr, loginFromEcr, loginFromGoogle } = await import('./cloud-logins.ts');
  if (helper === 'google') return loginFromGoogle(registry, cloud, w);
  return helper === 'ecr' ? loginFromEcr(registry, cloud, w) : loginFromAcr(registry, cloud, w);
}
