import { readFileSync } from 'node:fs';
import { isIP, type LookupFunction } from 'node:net';

/** What /etc/hosts and /etc/resolv.conf say (hosts(5), resolv.conf(5)). */
export interface NameFiles {
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  readonly servers: readonly string[];
  readonly search: readonly string[];
  /** Names with fewer dots are tried with the search list first. */
  readonly ndots: number;
}

export function parseNames(hosts: string, resolv: string): NameFiles {
  const known = new Map<string, string[]>();
  for (const line of hosts.split('\n')) {
    const [address = '', ...names] = line.replace(/#.*/, '').trim().split(/\s+/);
    if (isIP(address.replace(/%.*/, '')) === 0) continue;
    for (const name of names) known.set(name.toLowerCase(), [...(known.get(name.toLowerCase()) ?? []), address]);
  }
  const servers: string[] = [];
  let search: string[] = [];
  let ndots = 1;
  for (const line of resolv.split('\n')) {
    const [key, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    if (key === 'nameserver' && values[0] !== undefined && isIP(values[0]) !== 0) servers.push(values[0]);
    if (key === 'search' || key === 'domain') search = values;
    if (key === 'options')
      for (const value of values) if (value.startsWith('ndots:')) ndots = Math.min(15, Number(value.slice(6)) || 0);
  }
  return { hosts: known, servers, search, ndots };
}

/** The names to ask for, in order, as the C library's resolver would. */
export function questionsFor(name: string, { search, ndots }: Pick<NameFiles, 'search' | 'ndots'>): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const longer = search.map((domain) => `${name}.${domain}`);
  return name.split('.').length > ndots ? [name, ...longer] : [...longer, name];
}

let files: NameFiles | undefined;

/** Reads this machine's files now, before anything may replace them; what was read first stays. */
export function holdNames(): NameFiles {
  return (files ??= parseNames(readIfThere('/etc/hosts'), readIfThere('/etc/resolv.conf')));
}

/**
 * `dns.lookup` without the C library: no name service switch, which would load libraries that whoever owns /etc names. Hosts files and DNS only.
 */
export const lookupPlainly: LookupFunction = (name, options, callback) => {
  const family = options.family === 'IPv4' ? 4 : options.family === 'IPv6' ? 6 : (options.family ?? 0);
  void find(name).then(
    (all) => {
      const found = all
        .map((address) => ({ address, family: isIP(address) }))
        .filter((one) => family === 0 || one.family === family);
      const [first] = found;
      if (!first) callback(notFound(name), '', 0);
      else if (options.all === true) callback(null, found);
      else callback(null, first.address, first.family);
    },
    (error: unknown) => callback(error as NodeJS.ErrnoException, '', 0),
  );
};

async function find(name: string): Promise<readonly string[]> {
  if (isIP(name) !== 0) return [name];
  const known = holdNames();
  const host = known.hosts.get(name.toLowerCase().replace(/\.$/, ''));
  if (host) return host;
  if (/(?:^|\.)localhost\.?$/i.test(name)) return ['127.0.0.1', '::1'];
  const { Resolver } = await import('node:dns/promises');
  const resolver = new Resolver({ timeout: 5000, tries: 3 });
  if (known.servers.length > 0) resolver.setServers(known.servers);
  let fault: unknown = notFound(name);
  for (const question of questionsFor(name, known)) {
    const answers = await Promise.allSettled([resolver.resolve4(question), resolver.resolve6(question)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
    const [first] = answers;
    if (first.status === 'rejected') fault = first.reason;
  }
  throw fault;
}

function notFound(name: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`getaddrinfo ENOTFOUND ${name}`), { code: 'ENOTFOUND', hostname: name });
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
