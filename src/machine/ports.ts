import { isIP } from 'node:net';
import type { RunConfig } from '../image/index.ts';
import { machineError } from './errors.ts';

export type Protocol = 'tcp' | 'udp';

/** A port of a container. */
export interface ContainerPort {
  readonly protocol: Protocol;
  readonly port: number;
}

/** A wish to publish a port. */
export interface PortRequest extends ContainerPort {
  /** Absent: all addresses of this machine. */
  readonly hostAddress?: string | undefined;
  /** Absent: one that is free. */
  readonly hostPort?: number | undefined;
}

/**
 * What `-p` says (docker run, --publish): `[address:][host]:container[/protocol]` or `container[/protocol]`, ports alone or as ranges of one length, an IPv6 address in brackets. Throws `RUN_INVALID`.
 */
export function parsePublish(text: string): PortRequest[] {
  const match =
    /^(?:(?:(?<v6>\[[^\]]*\])|(?<v4>[^:[\]/]*)):(?=[^:]*:))?(?:(?<host>[^:/]*):)?(?<inside>[^:/]+)(?:\/(?<protocol>[^/]*))?$/.exec(
      text,
    );
  if (!match?.groups) throw invalid(text, 'it has not the form [address:][port:]port[/protocol]');
  const { v6, v4, host, inside = '', protocol = 'tcp' } = match.groups;
  const address = v6 === undefined ? v4 : v6.slice(1, -1);
  if (address !== undefined && address !== '' && isIP(address) === 0)
    throw invalid(text, `"${address}" is no IP address`);
  if (protocol !== 'tcp' && protocol !== 'udp') throw invalid(text, `protocol "${protocol}" is neither tcp nor udp`);
  const ports = range(inside, text);
  const hostPorts = host === undefined || host === '' ? [] : range(host, text, 0);
  if (hostPorts.length > 0 && hostPorts.length !== ports.length)
    throw invalid(text, `${hostPorts.length} ports of this machine cannot lead to ${ports.length} of the container`);
  return ports.map((port, at) => ({
    protocol,
    port,
    ...(address === undefined || address === '' ? {} : { hostAddress: address }),
    ...(hostPorts[at] === undefined || hostPorts[at] === 0 ? {} : { hostPort: hostPorts[at] }),
  }));
}

/** What EXPOSE said: `8080`, `53/udp`, `7000-7010/tcp`. What cannot be a port is left out. */
export function exposedPorts(config: RunConfig): ContainerPort[] {
  return Object.keys(config.ExposedPorts ?? {}).flatMap((text) => {
    const match = /^(\d+)(?:-(\d+))?(?:\/(tcp|udp))?$/.exec(text);
    if (!match) return [];
    const first = Number(match[1]);
    const last = Number(match[2] ?? match[1]);
    if (first < 1 || last > MAX || last < first || last - first >= MANY) return [];
    return Array.from({ length: last - first + 1 }, (_, i) => ({
      protocol: match[3] === 'udp' ? ('udp' as const) : ('tcp' as const),
      port: first + i,
    }));
  });
}

/** `127.0.0.1:8080`, `[::1]:8080`; where something answers that listens everywhere, on loopback. */
export function hostPort(address: string | undefined, port: number): string {
  const shown = address === undefined || address === '0.0.0.0' ? '127.0.0.1' : address === '::' ? '::1' : address;
  return isIP(shown) === 6 ? `[${shown}]:${port}` : `${shown}:${port}`;
}

const MAX = 65535;
/** Ports of one range at most: each is a socket. */
const MANY = 1024;

function range(text: string, whole: string, least = 1): number[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  const first = Number(match?.[1]);
  const last = Number(match?.[2] ?? match?.[1]);
  if (!match || first < least || last > MAX) throw invalid(whole, `"${text}" is no port`);
  if (last < first) throw invalid(whole, `"${text}" ends before it begins`);
  if (last - first >= MANY) throw invalid(whole, `"${text}" is more than ${MANY} ports`);
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function invalid(text: string, detail: string): Error {
  return machineError('RUN_INVALID', `publish "${text}": ${detail}`, {
    remedy: 'Write for example -p 8080:80, -p 127.0.0.1:8080:80 or -p 5353:53/udp.',
  });
}
