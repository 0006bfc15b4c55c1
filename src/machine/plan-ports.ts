import type { ExecutorReport, Process, PublishedPort } from '../exec/index.ts';
import type { RunConfig } from '../image/index.ts';
import { machineError } from './errors.ts';
import { choosePorts, isFree, publishOnLoopback } from './free-port.ts';
import { exposedPorts, type ContainerPort, type PortRequest } from './ports.ts';

/** How a container's ports come to this machine. */
export interface PortPlan {
  /** Led to a network of its own. */
  readonly published: readonly PublishedPort[];
  /** TCP ports to tell of when something listens on them. */
  readonly watched: readonly WatchedPort[];
  /** What a person should know, one sentence each. */
  readonly notes: readonly string[];
}

export interface WatchedPort {
  /** In the container. */
  readonly port: number;
  /** Where it is reached on this machine. */
  readonly hostAddress?: string | undefined;
  readonly hostPort: number;
  /** Something that listens on the container's loopback alone is reached, too. */
  readonly loopback: boolean;
}

/** More exposed ports than this are published only when they are asked for. */
const UNASKED = 32;

/**
 * Ports asked for are published, else those the image exposes, on loopback; with the machine's network there is nothing to publish. Throws `PORT_TAKEN`, `PORT_DENIED`, `RUN_INVALID`, `RUN_UNSUPPORTED`.
 */
export async function planPorts(
  config: RunConfig,
  o: {
    readonly network: Process['network'];
    readonly requests: readonly PortRequest[];
    /** Publish all exposed ports, on free ports. */
    readonly all: boolean;
    readonly report: Pick<ExecutorReport, 'network' | 'publishes'>;
  },
): Promise<PortPlan> {
  const exposed = exposedPorts(config);
  const asked: readonly PortRequest[] = [
    ...o.requests,
    ...(o.all ? exposed.filter((port) => !o.requests.some((request) => same(request, port))) : []),
  ];
  if (o.network === 'none') {
    if (asked.length === 0) return NOTHING;
    throw machineError('RUN_INVALID', 'publish ports of a container without a network', {
      remedy: 'Leave out --network none, or the ports.',
    });
  }
  if (o.network === 'host') {
    const notes =
      asked.length > 0
        ? ['With the network of this machine no port is published: the container listens on its own.']
        : [];
    return withMachineNetwork(exposed, notes);
  }
  const { publishes } = o.report;
  if (asked.length > 0) {
    if (publishes !== undefined) {
      const notes = asked.some(({ protocol }) => protocol === 'udp') ? [UDP_NOTES[publishes]] : [];
      return publishedPlan(await choosePorts(asked), { publishes, notes });
    }
    const direct = asked.every(
      ({ hostAddress, hostPort, port }) => hostAddress === undefined && (hostPort ?? port) === port,
    );
    if (o.report.network === 'host' && direct)
      return withMachineNetwork(asked, [
        'The container has the network of this machine: nothing here could publish a port (see "strake doctor").',
      ]);
    throw machineError(
      'RUN_UNSUPPORTED',
      `publish port ${asked[0]?.port ?? 0}: nothing here can lead a port of this machine to a container`,
      {
        remedy:
          'Install pasta (package passt) or slirp4netns and see that /dev/net/tun can be written to, or use the network of this machine: --network host.',
      },
    );
  }
  if (exposed.length === 0) return NOTHING;
  if (publishes === undefined) {
    if (o.report.network === 'host') return withMachineNetwork(exposed, []);
    return { ...NOTHING, notes: ['Exposed ports are not published: that takes pasta (package passt) or slirp4netns.'] };
  }
  if (exposed.length > UNASKED)
    return {
      ...NOTHING,
      notes: [`${exposed.length} exposed ports are not published: ask for those you need with -p.`],
    };
  const published = await publishOnLoopback(exposed);
  const notes = published.flatMap(({ port, hostPort, protocol }) =>
    port === hostPort || protocol === 'udp'
      ? []
      : [`Port ${port} of this machine cannot be had: ${hostPort} leads to it.`],
  );
  return publishedPlan(published, { publishes, notes });
}

/** As seen with the releases of Debian 12: packets arrive, some answers do not. */
const UDP_NOTES = {
  pasta:
    'Older releases of pasta bring answers of UDP ports back only to this machine itself, from a port of the same number.',
  slirp4netns: 'slirp4netns brings answers of UDP ports back to other machines only.',
} as const;

const NOTHING: PortPlan = { published: [], watched: [], notes: [] };

function publishedPlan(
  published: readonly PublishedPort[],
  o: { readonly publishes: 'pasta' | 'slirp4netns'; readonly notes: readonly string[] },
): PortPlan {
  const watched = published
    .filter(({ protocol }) => protocol === 'tcp')
    .map(({ port, hostPort, hostAddress }) => ({
      port,
      hostPort,
      // pasta leads what comes from the machine's loopback to the container's.
      loopback: o.publishes === 'pasta',
      ...(hostAddress === undefined ? {} : { hostAddress }),
    }));
  return { published, watched, notes: o.notes };
}

/** What others listen on already cannot be told from the container's own. */
async function withMachineNetwork(ports: readonly ContainerPort[], notes: readonly string[]): Promise<PortPlan> {
  const watched: WatchedPort[] = [];
  const taken: string[] = [];
  for (const { protocol, port } of ports) {
    if (protocol !== 'tcp') continue;
    if (await isFree(port)) watched.push({ port, hostPort: port, loopback: true });
    else taken.push(`Something on this machine listens on port ${port} already, whose network the container has.`);
  }
  return { published: [], watched, notes: [...notes, ...taken] };
}

function same(a: ContainerPort, b: ContainerPort): boolean {
  return a.port === b.port && a.protocol === b.protocol;
}
