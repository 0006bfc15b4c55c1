import { grpcError } from './errors.ts';

/** Where a server listens. */
export type GrpcAddress =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number };

/** Reads `unix:///PATH`, `unix://PATH` or `tcp://HOST:PORT`. Throws `GRPC_ADDRESS`. */
export function parseAddress(text: string): GrpcAddress {
  const wrong = (why: string): Error =>
    grpcError('GRPC_ADDRESS', `read the address "${text}": ${why}`, {
      remedy: 'Write unix:///path/to/socket or tcp://host:port.',
    });
  if (text.startsWith('unix://')) {
    const path = text.slice('unix://'.length);
    if (!path.startsWith('/')) throw wrong('the path of a socket must be absolute');
    return { kind: 'unix', path };
  }
  if (!text.startsWith('tcp://')) throw wrong('it is neither unix:// nor tcp://');
  if (!URL.canParse(text)) throw wrong('it is no address');
  const url = new URL(text);
  if (url.port === '') throw wrong('it has no port');
  if (url.pathname !== '' && url.pathname !== '/') throw wrong('there is something after the port');
  return { kind: 'tcp', host: url.hostname.replaceAll(/^\[|\]$/g, ''), port: Number(url.port) };
}

export function formatAddress(address: GrpcAddress): string {
  if (address.kind === 'unix') return `unix://${address.path}`;
  return `tcp://${address.host.includes(':') ? `[${address.host}]` : address.host}:${address.port}`;
}
