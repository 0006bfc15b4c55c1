import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Wait } from '../base/index.ts';
import { execError } from './errors.ts';
import { networkKinds } from './open-network.ts';
import type { StepNetwork } from './network.ts';
import { tunnelNetwork } from './tunnel-network.ts';
import type { ExecutorReport } from './executor.ts';
import type { PublishedPort } from './process.ts';
import type { Workspace } from './workspace.ts';

/** What can lead ports of this machine to a process, given what network `default` came to. CNI has no say: a port may be published on loopback alone. */
export function publisherHere(o: {
  readonly network: ExecutorReport['network'];
  readonly rootless: 'range' | 'single' | undefined;
}): ExecutorReport['publishes'] {
  if (o.network === 'pasta' || o.network === 'slirp4netns') return o.network;
  if (o.network === 'host') return undefined;
  return networkKinds(o.rootless).find((kind) => kind !== 'cni');
}

/**
 * A network for one process alone, ended with the scope, to which these ports of the machine lead. Throws `PORTS_UNSUPPORTED` when nothing can do that here, `NETWORK_FAILED` when it does not start (a port that is taken).
 */
export async function publishedNetwork(
  ports: readonly PublishedPort[],
  o: {
    readonly id: string;
    readonly workspace: Workspace;
    readonly rootless: 'range' | 'single' | undefined;
    readonly network: { readonly kind: ExecutorReport['network'] };
  } & Wait,
): Promise<StepNetwork & AsyncDisposable> {
  const kind = publisherHere({ network: o.network.kind, rootless: o.rootless });
  if (kind === undefined)
    throw execError(
      'PORTS_UNSUPPORTED',
      `publish port ${ports[0]?.hostPort ?? 0}: nothing here can lead it to a process`,
      {
        remedy:
          'Install pasta (package passt) or slirp4netns and see that /dev/net/tun can be written to, or use the machine\'s network with "--network host".',
      },
    );
  const run = join(o.workspace.run, `${o.id}-network`);
  mkdirSync(run, { mode: 0o700 });
  const shared = tunnelNetwork(kind, { ...o, workspace: { ...o.workspace, run } }, ports);
  const end = async (): Promise<void> => {
    await shared[Symbol.asyncDispose]();
    rmSync(run, { recursive: true, force: true });
  };
  try {
    return { kind: 'path', ...(await shared.start(o)), [Symbol.asyncDispose]: end };
  } catch (error) {
    await end();
    throw error;
  }
}
