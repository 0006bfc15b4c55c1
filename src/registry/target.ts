import { BlockList, isIP } from 'node:net';
import { isLoopback, redactUrl } from '../base/index.ts';
import { registryError } from './errors.ts';

/** A host without its port and brackets. */
export function bareHost(host: string): string {
  if (isIP(host) !== 0) return host;
  const bracketed = /^\[([^\]]*)\]/.exec(host);
  return bracketed?.[1] ?? host.replace(/:\d+$/, '');
}

/**
 * Refuses a URL that an answer sends us to (a token realm, a redirect, an upload location, a foreign layer) when it would leave TLS, or when it names an address of the local network
 * that the registry itself is not in: a registry must not be able to make us ask our own network (go-containerregistry's rules). `from` is who sent us. Throws `REGISTRY_UNSAFE`.
 */
export function checkTarget(target: URL, from: URL, what: string): void {
  const refuse = (detail: string, remedy?: string): Error =>
    registryError('REGISTRY_UNSAFE', `${what}: "${from.host}" sends us to "${redactUrl(target)}": ${detail}`, {
      remedy,
    });
  if (target.protocol !== 'https:' && target.protocol !== 'http:') throw refuse('this is neither https nor http');
  if (target.username !== '' || target.password !== '') throw refuse('it carries a user or password');
  if (target.host === from.host) {
    if (target.protocol === 'http:' && from.protocol === 'https:') throw refuse('this would leave TLS');
    return;
  }
  if (target.protocol === 'http:' && from.protocol === 'https:')
    throw refuse('this would leave TLS', 'If you trust this network, name the registry as insecure.');
  const [there, here] = [reach(bareHost(target.host)), reach(bareHost(from.host))];
  const allowed = there === 'public' || (there !== 'link-local' && (here === there || here === 'loopback'));
  if (!allowed) throw refuse(`this is a ${there} address, and the registry is not in that network`);
}

type Reach = 'public' | 'private' | 'loopback' | 'link-local';

/** Names are taken for public: what they resolve to is not looked at. */
function reach(host: string): Reach {
  if (isLoopback(host)) return 'loopback';
  const family = isIP(host);
  if (family === 0) return 'public';
  for (const [kind, list] of reaches()) if (list.check(host, family === 4 ? 'ipv4' : 'ipv6')) return kind;
  return 'public';
}

function ranges(...blocks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const block of blocks) {
    const [network = '', bits] = block.split('/');
    list.addSubnet(network, Number(bits), isIP(network) === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

let known: readonly (readonly [Reach, BlockList])[] | undefined;

/** Made when an address is first looked at. */
const reaches = (): readonly (readonly [Reach, BlockList])[] =>
  (known ??= [
    ['loopback', ranges('127.0.0.0/8', '0.0.0.0/8', '::1/128', '::/128', '::ffff:127.0.0.0/104', '::ffff:0.0.0.0/104')],
    ['link-local', ranges('169.254.0.0/16', 'fe80::/10', '::ffff:169.254.0.0/112')],
    [
      'private',
      ranges(
        '10.0.0.0/8',
        '172.16.0.0/12',
        '192.168.0.0/16',
        '100.64.0.0/10',
        'fc00::/7',
        '::ffff:10.0.0.0/104',
        '::ffff:172.16.0.0/108',
        '::ffff:192.168.0.0/112',
      ),
    ],
  ]);
