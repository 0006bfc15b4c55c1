import type { ProxyEnvironment } from '../base/index.ts';
import type { AptConfig } from './apt-config.ts';

/**
 * The environment for an `HttpClient` that reaches mirrors as apt would: apt's proxy settings (apt-transport-http(1)) win over the variables, `DIRECT` means none, for all hosts or for one of
 * the configured ones. Programs that detect a proxy are not run.
 */
export function aptProxyEnvironment(config: AptConfig, env: ProxyEnvironment): ProxyEnvironment {
  const { settings } = config;
  const http = settings.get('acquire::http::proxy');
  const https = settings.get('acquire::https::proxy') ?? http;
  const direct = config.sources
    .flatMap(({ uris }) => uris)
    .map((uri) => URL.parse(uri))
    .filter((url) => url !== null && settings.get(`acquire::${url.protocol}:proxy::${url.hostname}`) === 'DIRECT')
    .map((url) => url?.hostname ?? '');
  const none = [env['no_proxy'] ?? env['NO_PROXY'] ?? '', ...new Set(direct)].filter((host) => host !== '');
  const set = (name: string, value: string | undefined): ProxyEnvironment =>
    value === undefined || value === ''
      ? {}
      : { [name]: value === 'DIRECT' ? undefined : value, [name.toUpperCase()]: undefined };
  return {
    ...env,
    ...set('http_proxy', http),
    ...set('https_proxy', https),
    ...(direct.length > 0 ? { no_proxy: none.join(',') } : {}),
  };
}
