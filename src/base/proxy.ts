import { BlockList, isIP } from 'node:net';

/** The variables that name proxies, in either case. */
export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy a URL is asked through, or undefined for none: HTTP_PROXY for http, HTTPS_PROXY for https, in either case, lower first. Loopback is never proxied. NO_PROXY holds names (which
 * cover what is below them), `.suffix` or `*.suffix`, addresses, CIDR blocks, each with an optional port, or `*`: the rules of Go's httpproxy, which the container tools share.
 */
export function proxyFor(url: URL, env: ProxyEnvironment): URL | undefined {
  const read = (name: string): string | undefined => env[name.toLowerCase()] || env[name] || undefined;
  const proxy = read(url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY');
  if (proxy === undefined) return undefined;
  const host = bareHost(url.hostname);
  if (isLoopback(host)) return undefined;
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  const skipped = (read('NO_PROXY') ?? '').split(/[\s,]+/).some((rule) => rule !== '' && covers(rule, host, port));
  if (skipped) return undefined;
  return URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(proxy) ? proxy : `http://${proxy}`) ?? undefined;
}

/** `localhost`, names below it, 127.0.0.0/8 and ::1. Takes a host without port; brackets are allowed. */
export function isLoopback(host: string): boolean {
  const bare = bareHost(host).toLowerCase();
  return (
    bare === 'localhost' ||
    bare.endsWith('.localhost') ||
    bare === '::1' ||
    (isIP(bare) === 4 && bare.startsWith('127.'))
  );
}

function bareHost(host: string): string {
  return host.startsWith('[') ? host.slice(1, -1) : host;
}

function covers(rule: string, host: string, port: string): boolean {
  if (rule === '*') return true;
  const slash = rule.indexOf('/');
  if (slash > 0) {
    const [network, bits] = [rule.slice(0, slash), Number(rule.slice(slash + 1))];
    const [family, asked] = [isIP(network), isIP(host)];
    if (family === 0 || family !== asked || !Number.isInteger(bits) || bits < 0 || bits > (family === 4 ? 32 : 128))
      return false;
    const block = new BlockList();
    block.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6');
    return block.check(host, family === 4 ? 'ipv4' : 'ipv6');
  }
  const ported = isIP(bareHost(rule)) === 0 ? /^(.*):(\d+)$/.exec(rule) : null;
  if (ported && ported[2] !== port) return false;
  const name = bareHost(ported?.[1] ?? rule)
    .toLowerCase()
    .replace(/^\*(?=\.)/, '');
  const asked = host.toLowerCase();
  return name.startsWith('.')
    ? asked.endsWith(name)
    : asked === name || (isIP(name) === 0 && asked.endsWith(`.${name}`));
}
