import { isIP } from 'node:net';
import { dockerfileError } from './errors.ts';
import { quote } from './go-text.ts';

/** What EXPOSE's argument names, and what BuildKit would warn about. */
export interface ExposedPorts {
  /** `port/proto`, one for each port of a range. */
  readonly ports: readonly string[];
  readonly upperCaseProtocol: boolean;
  readonly mapping: boolean;
}

/** Reads `[ip:][hostport:]port[-port][/proto]` (facts 1.8). Throws `DOCKERFILE_INSTRUCTION` without a place. */
export function parsePorts(text: string): ExposedPorts {
  const parts = text.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  const ip = parts.join(':');
  const slash = container.indexOf('/');
  const range = slash < 0 ? container : container.slice(0, slash);
  const written = slash < 0 ? 'tcp' : container.slice(slash + 1) || 'tcp';
  const protocol = written.toLowerCase();
  if (range === '') throw wrong(`invalid port: ${quote(text)}: no port specified`);
  if (!['tcp', 'udp', 'sctp'].includes(protocol))
    throw wrong(`invalid port: ${quote(text)}: invalid proto: ${written}`);
  const address = ip.replace(/^\[(.*)\]$/, '$1');
  if (ip !== '' && isIP(address) === 0) throw wrong(`invalid IP address: ${ip}`);
  const ports = portRange(range);
  if (ports === undefined) throw wrong(`invalid containerPort: ${range}`);
  if (host !== '') {
    const outer = portRange(host);
    if (outer === undefined) throw wrong(`invalid hostPort: ${host}`);
    if (outer[1] - outer[0] !== ports[1] - ports[0] && ports[0] !== ports[1])
      throw wrong(`invalid ranges specified for container and host Ports: ${range} and ${host}`);
  }
  const [first, last] = ports;
  return {
    ports: Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`),
    upperCaseProtocol: written !== protocol,
    mapping: ip !== '' || host !== '',
  };
}

function portRange(text: string): readonly [number, number] | undefined {
  const dash = text.indexOf('-');
  const first = port(dash < 0 ? text : text.slice(0, dash));
  const last = dash < 0 ? first : port(text.slice(dash + 1));
  return first === undefined || last === undefined || last < first ? undefined : [first, last];
}

function port(text: string): number | undefined {
  return /^\+?\d+$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

function wrong(message: string): Error {
  return dockerfileError('DOCKERFILE_INSTRUCTION', message, { remedy: 'Write port, port/udp or first-last/tcp.' });
}
