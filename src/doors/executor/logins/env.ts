import type { Credential } from '../../../registry/index.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** `KANIKO_<HOST>_USER` and `_PASSWORD`, the host's name in capitals with underscores, or any of its parents' (kaniko pkg/creds/env_keychain.go). */
export function loginFromEnv(registry: string, env: Env): Credential | undefined {
  const parts = registry.replaceAll('-', '_').toUpperCase().split('.');
  for (let i = 0; i < parts.length; i++) {
    const name = parts.slice(i).join('_');
    // A colon cannot be in the name of a variable that a shell sets.
    for (const one of new Set([name, name.replaceAll(':', '_')])) {
      const username = env[`KANIKO_${one}_USER`];
      const secret = env[`KANIKO_${one}_PASSWORD`];
      if (username !== undefined && secret !== undefined) return { username, secret, kind: 'password' };
    }
  }
  return undefined;
}

/** What a GitLab job knows of its own registry and dependency proxy. */
export function loginFromGitlab(registry: string, env: Env): Credential | undefined {
  const token = env['CI_JOB_TOKEN'];
  const own = (server: string, user: string, password: string): Credential | undefined => {
    if (env[server] !== registry) return undefined;
    const [username, secret] = [env[user] || 'gitlab-ci-token', env[password] || token];
    return secret ? { username, secret, kind: 'password' } : undefined;
  };
  return (
    own('CI_REGISTRY', 'CI_REGISTRY_USER', 'CI_REGISTRY_PASSWORD') ??
    own('CI_DEPENDENCY_PROXY_SERVER', 'CI_DEPENDENCY_PROXY_USER', 'CI_DEPENDENCY_PROXY_PASSWORD')
  );
}
