import { accessSync, constants, readFileSync } from 'node:fs';
import { findTool } from '../base/index.ts';
import { cniNetwork, findCni } from './cni.ts';
import type { ExecutorReport } from './executor.ts';
import type { Network, NetworkContext } from './network.ts';
import { tunnelNetwork } from './tunnel-network.ts';

/** The machine's own network for all that does not ask for none. */
export const hostNetwork: Network = {
  kind: 'host',
  open: async (name) => ({ kind: name === 'none' ? 'empty' : 'host' }),
  [Symbol.asyncDispose]: async () => undefined,
};

/** Ways of giving steps a network of their own that seem possible here, the best first: CNI where it is configured, pasta, slirp4netns. */
export function networkKinds(rootless: 'range' | 'single' | undefined): Exclude<ExecutorReport['network'], 'host'>[] {
  const kinds: Exclude<ExecutorReport['network'], 'host'>[] = [];
  if (rootless === undefined && findCni() !== undefined) kinds.push('cni');
  if (!hasDefaultRoute() || !hasTunnels()) return kinds;
  if (findTool('pasta') !== undefined) kinds.push('pasta');
  if (findTool('slirp4netns') !== undefined) kinds.push('slirp4netns');
  return kinds;
}

/** Starts a network in the background, unless it is to start `late`, with the first step that needs it: that one is told when it fails. */
export function openNetwork(
  kind: ExecutorReport['network'],
  c: NetworkContext & { readonly late?: boolean | undefined },
): Network {
  if (kind === 'host') return hostNetwork;
  const shared = kind === 'cni' ? cniNetwork(c) : tunnelNetwork(kind, c);
  let begun = c.late !== true;
  if (begun) shared.start().catch(() => undefined);
  return {
    kind,
    open: async (name, w) => {
      if (name !== 'default') return hostNetwork.open(name);
      begun = true;
      return { kind: 'path', ...(await shared.start(w)) };
    },
    // Its end waits for its start.
    [Symbol.asyncDispose]: async () => {
      if (begun) await shared[Symbol.asyncDispose]();
    },
  };
}

function hasDefaultRoute(): boolean {
  return (
    /^\w\S*\t00000000\t[0-9A-F]{8}\t/m.test(read('/proc/net/route')) ||
    /^0{32} 00 .*\s(?!lo$)\S+$/m.test(read('/proc/net/ipv6_route'))
  );
}

function hasTunnels(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
