import { readFileSync } from 'node:fs';
import { messageOf } from '../../base/index.ts';
import type { Mirror, RegistrySettings } from '../../registry/index.ts';
import type { DaemonConfig } from './config.ts';
import { daemonError } from './errors.ts';

/** `[registry."HOST"]` of buildkitd.toml: mirrors (host, host/path or URL), insecure, ca. */
export function registrySettings({ registries }: DaemonConfig): RegistrySettings {
  const mirrors = new Map<string, readonly Mirror[]>();
  const insecure: string[] = [];
  const certificates = new Map<string, readonly string[]>();
  for (const [host, { mirrors: list, insecure: plain, ca }] of registries) {
    if (list.length > 0)
      mirrors.set(
        host,
        list.map((text) => mirrorOf(text)),
      );
    if (plain) insecure.push(host);
    if (ca.length > 0) certificates.set(host, ca.map(read));
  }
  return {
    insecure,
    mirrors: (registry) => mirrors.get(registry) ?? [],
    certificates: (host) => ({ ca: [...(certificates.get(host) ?? [])] }),
  };
}

function mirrorOf(text: string): Mirror {
  const [, host = '', path = ''] = /^(?:https?:\/\/)?([^/]+)\/?(.*?)\/?$/.exec(text) ?? [];
  return { host, ...(path !== '' && { path }), capabilities: ['pull', 'resolve'] };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw daemonError('DAEMON_CONFIG', `read the authority "${path}": ${messageOf(error)}`, { cause: error });
  }
}
