import type { Process } from './process.ts';

/** The step's /etc/hosts, as BuildKit writes it: the sandbox's own name, then the extra hosts in the order given. */
export function hostsFile(process: Pick<Process, 'hostname' | 'extraHosts'>): string {
  const own = `127.0.0.1\tlocalhost ${process.hostname || 'buildkitsandbox'}\n::1\tlocalhost ip6-localhost ip6-loopback\n`;
  return own + process.extraHosts.map(({ host, ip }) => `${ip}\t${host}\n`).join('');
}
