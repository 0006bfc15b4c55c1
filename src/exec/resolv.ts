import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { hasErrno } from '../base/index.ts';

export interface ResolvOptions {
  /** The step shares the machine's network, so that a resolver on loopback answers. */
  readonly hostNetwork: boolean;
  /** Used instead of public resolvers when none of the machine's can be reached. */
  readonly fallback?: readonly string[] | undefined;
  /** Reads a file of the machine; undefined when there is none. */
  readonly read?: ((path: string) => string | undefined) | undefined;
}

/**
 * The step's /etc/resolv.conf, as BuildKit makes it from the machine's (executor/oci/resolvconf.go): systemd-resolved's own list when its stub is the only nameserver, without nameservers on loopback, public ones when none is left; for the
 * machine's network as it is.
 */
export function resolvConf(o: ResolvOptions): string {
  const read = o.read ?? readIfThere;
  let conf = parse(read(MACHINE) ?? '');
  if (o.hostNetwork && conf.nameservers.length > 0) return write(conf);
  if (!o.hostNetwork && conf.nameservers.length === 1 && conf.nameservers[0] === SYSTEMD_STUB)
    conf = parse(read(SYSTEMD) ?? '');
  const nameservers = conf.nameservers.filter((address) => !isLoopback(address));
  return write({ ...conf, nameservers: nameservers.length > 0 ? nameservers : (o.fallback ?? PUBLIC) });
}

interface Conf {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
  readonly other: readonly string[];
}

const MACHINE = '/etc/resolv.conf';
const SYSTEMD = '/run/systemd/resolve/resolv.conf';
const SYSTEMD_STUB = '127.0.0.53';
const PUBLIC = ['8.8.8.8', '8.8.4.4', '2001:4860:4860::8888', '2001:4860:4860::8844'];

function parse(text: string): Conf {
  const nameservers: string[] = [];
  let search: string[] = [];
  const options: string[] = [];
  const other: string[] = [];
  for (const line of text.split('\n')) {
    if (/^[#;]/.test(line)) continue;
    const [key, ...values] = line.trim().split(/\s+/);
    if (!key) continue;
    if (key === 'nameserver') {
      if (isIP((values[0] ?? '').replace(/%.*$/, ''))) nameservers.push(values[0] as string);
    } else if (key === 'search' || key === 'domain') {
      if (values.length > 0) search = values;
    } else if (key === 'options') options.push(...values);
    else other.push(line);
  }
  return { nameservers, search, options, other };
}

function write(conf: Conf): string {
  const lines = conf.nameservers.map((address) => `nameserver ${address}`);
  if (conf.search.length > 0) lines.push(`search ${conf.search.join(' ')}`);
  if (conf.options.length > 0) lines.push(`options ${conf.options.join(' ')}`);
  return [...lines, ...conf.other].map((line) => `${line}\n`).join('');
}

function isLoopback(address: string): boolean {
  return address.startsWith('127.') || /^(0*:)*0*1$/.test(address) || /^::ffff:127\./i.test(address);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EACCES')) return undefined;
    throw error;
  }
}
