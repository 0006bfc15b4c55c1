import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import { Lazy, messageOf } from '../base/index.ts';
import { execError } from './errors.ts';
import { enclosed } from './launch.ts';
import { makeNetns, type Netns } from './netns.ts';
import { addHostForwards } from './slirp-ports.ts';
import { toolPath } from './tool-root.ts';
import type { PublishedPort } from './process.ts';
import type { NetworkContext, SharedNetwork } from './network.ts';

/**
 * A network namespace whose traffic a program of this machine carries: pasta or slirp4netns. Its start takes a tenth of a second, so all steps share it. The program lives in a PID namespace whose first process waits for
 * this process's end: nothing outlives it. `ports` of this machine lead to it.
 */
export function tunnelNetwork(
  kind: 'pasta' | 'slirp4netns',
  c: NetworkContext,
  ports: readonly PublishedPort[] = [],
): SharedNetwork {
  let netns: Netns | undefined;
  let carrier: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (carrier) await ended(carrier);
    carrier = undefined;
    netns?.[Symbol.dispose]();
    netns = undefined;
  };
  const started = new Lazy(async () => {
    netns = await makeNetns(c.workspace.run, {});
    try {
      carrier = startCarrier(kind, { netns: netns.path, folder: c.workspace.run, ports });
      await ready(carrier, kind);
      if (kind === 'slirp4netns') await addHostForwards(ports, { folder: c.workspace.run, socket: API_SOCKET });
      return { path: netns.path, ...(kind === 'slirp4netns' ? { nameservers: ['10.0.2.3'] } : {}) };
    } catch (error) {
      await stop();
      throw error;
    }
  });
  return {
    start: (w) => started.get(w),
    [Symbol.asyncDispose]: async () => {
      await started.get().catch(() => undefined);
      await stop();
    },
  };
}

/** Says "ready" when the network is up and lives until its stdin ends. $1 is the namespace; more options follow. */
const SCRIPTS = {
  // No ports but those published, and the machine's loopback stays closed; "nobody" could not enter the namespace.
  pasta: `netns=$1; shift; "$0" --config-net --no-map-gw "$@" -T none -U none --runas 0 --netns "$netns" && echo ready && read -r _`,
  slirp4netns: `netns=$1; shift; ( "$0" --configure --mtu=65520 --disable-host-loopback --netns-type=path --ready-fd=3 "$@" "$netns" tap0 3>&1 >&2; kill 1 ) & read -r _`,
} as const;
const API_SOCKET = 'slirp4netns.sock';

/** Port specifications of pasta(1). */
function pastaPorts(ports: readonly PublishedPort[]): string[] {
  return (['tcp', 'udp'] as const).flatMap((protocol) => {
    const option = protocol === 'tcp' ? '-t' : '-u';
    const chosen = ports.filter((port) => port.protocol === protocol);
    if (chosen.length === 0) return [option, 'none'];
    return chosen.flatMap(({ hostAddress, hostPort, port }) => {
      const address = hostAddress === undefined ? '' : `${hostAddress}/`;
      return [option, `${address}${hostPort}:${port}`];
    });
  });
}

function startCarrier(
  kind: keyof typeof SCRIPTS,
  o: { readonly netns: string; readonly folder: string; readonly ports: readonly PublishedPort[] },
): ChildProcess {
  const tools = { setpriv: toolPath('setpriv'), unshare: toolPath('unshare') };
  const [file, ...args] = enclosed(tools, ['--mount-proc']);
  const options = kind === 'pasta' ? pastaPorts(o.ports) : o.ports.length > 0 ? [`--api-socket=${API_SOCKET}`] : [];
  return spawn(file!, [...args, toolPath('sh'), '-c', SCRIPTS[kind], toolPath(kind), o.netns, ...options], {
    cwd: o.folder,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    detached: true,
  });
}

function ready(carrier: ChildProcess, kind: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  const fail = (detail: string): void =>
    reject(
      execError('NETWORK_FAILED', `start a network by ${kind}: ${detail}`, {
        remedy: 'Use the machine\'s network by "--network host", or see what "strake doctor" says.',
      }),
    );
  carrier.stdout?.once('data', () => {
    // Once it runs, nobody waits for its end.
    carrier.unref();
    for (const stream of [carrier.stdin, carrier.stdout, carrier.stderr]) (stream as Socket | null)?.unref();
    resolve();
  });
  carrier.stderr?.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-4096)));
  carrier.once('error', (error) => fail(messageOf(error)));
  carrier.once('close', (code) => fail(lastLine(said) ?? `exit code ${code ?? 'none'}`));
  return promise;
}

function ended(carrier: ChildProcess): Promise<void> {
  if (carrier.exitCode !== null || carrier.signalCode !== null) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  carrier.ref();
  carrier.once('exit', () => resolve());
  carrier.stdin?.on('error', () => undefined).end();
  return promise;
}

function lastLine(text: string): string | undefined {
  return text
    .split('\n')
    .map((line) => line.trim())
    .findLast((line) => line !== '' && !line.startsWith('Failed to send'));
}
