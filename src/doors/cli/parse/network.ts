import { isIP } from 'node:net';
import { usage } from '../errors.ts';

/** `host:address` or `host=address` as BuildKit's `host=address`; an IPv6 address may stand in brackets. */
export function extraHost(text: string): string {
  const equals = text.indexOf('=');
  const cut = equals < 0 ? text.indexOf(':') : equals;
  const host = text.slice(0, Math.max(0, cut));
  const address = text.slice(cut + 1).replace(/^\[(.*)\]$/, '$1');
  if (cut < 1 || host.includes(','))
    throw usage(`read --add-host "${text}": there is no host and address`, 'Write host=address, as db=10.0.0.7.');
  if (isIP(address) === 0)
    throw usage(
      `read --add-host "${text}": "${address}" is not an address`,
      address === 'host-gateway'
        ? 'There is no such gateway here: write the address itself.'
        : 'Write an IPv4 or IPv6 address.',
    );
  return `${host}=${address}`;
}

/** What RUN lines get that say nothing else, and the right that goes with asking for it here. */
export function networkMode(text: string): { readonly mode: string | undefined; readonly allow: readonly string[] } {
  switch (text) {
    case 'default':
    case 'sandbox':
      return { mode: undefined, allow: [] };
    case 'none':
      return { mode: text, allow: [] };
    case 'host':
      return { mode: text, allow: ['network.host'] };
    default:
      throw usage(`read --network "${text}": there is no such network`, 'Use default, none or host.');
  }
}
