import { isAbsolute, join } from 'node:path';
import { entryText, isRemote, secretText, sshText, type Target } from '../../../bake/index.ts';
import type { BuildFlags } from '../build/flags.ts';
import { gitSecrets } from './remote-definition.ts';

/** A target as `strake build PLACE` with flags would build it; contexts that are targets are left out. `inline` is the path of its inline Dockerfile. */
export function flagsOf(
  target: Target,
  o: {
    readonly inline: string | undefined;
    readonly quiet: boolean;
    readonly env: Readonly<Record<string, string | undefined>>;
  },
): { readonly place: string; readonly flags: BuildFlags; readonly linked: ReadonlyMap<string, string> } {
  const place = target.context ?? '.';
  const pairs = (map: ReadonlyMap<string, string> | undefined): string[] =>
    [...(map ?? [])].map(([name, value]) => `${name}=${value}`);
  const contexts = [...(target.contexts ?? [])];
  const linked = new Map(
    contexts
      .filter(([, value]) => value.startsWith('target:'))
      .map(([name, value]) => [name, value.slice('target:'.length)] as const),
  );
  const limit = (name: string): string | undefined => {
    const value = target.resources?.[name];
    return value === undefined ? undefined : String(value);
  };
  const flags: BuildFlags = {
    file: o.inline ?? dockerfileOf(target, place),
    tag: target.tags ?? [],
    target: target.target || undefined,
    buildArg: pairs(target.args),
    buildContext: contexts
      .filter(([name]) => !linked.has(name))
      .map(([name, value]) => `${name}=${value.replace(/^cwd:\/\//, './')}`),
    platform: target.platforms ?? [],
    cache: target['no-cache'] !== true,
    cacheFilter: target['no-cache-filter'] ?? [],
    cacheFrom: (target['cache-from'] ?? []).map(entryText),
    cacheTo: (target['cache-to'] ?? []).map(entryText),
    pull: target.pull,
    label: pairs(target.labels),
    annotation: target.annotations ?? [],
    secret: [...(target.secret ?? []), ...(isRemote(place) ? gitSecrets(place, o.env) : [])].map(secretText),
    ssh: (target.ssh ?? []).map(sshText),
    network: target.network || 'default',
    addHost: pairs(target['extra-hosts']),
    output: (target.output ?? []).map(entryText),
    attest: (target.attest ?? []).map(entryText),
    allow: (target.entitlements ?? []).filter((name) => name === 'network.host' || name === 'security.insecure'),
    shmSize: target['shm-size'] || undefined,
    ulimit: target.ulimits ?? [],
    memory: limit('memory'),
    memorySwap: limit('memory-swap'),
    cpuShares: limit('cpu-shares'),
    cpuPeriod: limit('cpu-period'),
    cpuQuota: limit('cpu-quota'),
    cpusetCpus: limit('cpuset-cpus'),
    cpusetMems: limit('cpuset-mems'),
    quiet: o.quiet,
  };
  return { place, flags, linked };
}

/** The Dockerfile is in the context, unless its path says otherwise; the usual name may be spelled in other ways. */
function dockerfileOf({ dockerfile = 'Dockerfile' }: Target, place: string): string | undefined {
  if (dockerfile.startsWith('cwd://')) return dockerfile.slice('cwd://'.length);
  if (isRemote(place)) return dockerfile === 'Dockerfile' ? undefined : dockerfile;
  if (dockerfile === 'Dockerfile') return undefined;
  return isAbsolute(dockerfile) ? dockerfile : join(place, dockerfile);
}
