import { isIP } from 'node:net';
import { ValueError } from '../errors.ts';
import type { FunctionSpec } from './call.ts';
import { define, defineVariadic, number, text } from './parameters.ts';

interface Network {
  readonly address: bigint;
  /** Bits of an address: 32 or 128. */
  readonly size: number;
  readonly prefix: number;
}

/** Functions of CIDR prefixes. */
export const networkFunctions: Readonly<Record<string, FunctionSpec>> = {
  cidrhost: define([text, number], ([cidr, host]) => {
    const network = parseNetwork(cidr);
    const bits = BigInt(network.size - network.prefix);
    const at = BigInt(whole(host, 1));
    const room = 1n << bits;
    if (at >= room || -at > room)
      throw new ValueError(`prefix of ${network.prefix} does not accommodate a host numbered ${at}`, 1);
    return formatAddress(network.address + (at < 0n ? room + at : at), network.size);
  }),
  cidrnetmask: define([text], ([cidr]) => {
    const { size, prefix } = parseNetwork(cidr);
    if (size !== 32) throw new ValueError('IPv6 addresses cannot have a netmask', 0);
    return formatAddress(((1n << BigInt(prefix)) - 1n) << BigInt(size - prefix), size);
  }),
  cidrsubnet: define([text, number, number], ([cidr, bits, at]) => {
    const network = parseNetwork(cidr);
    const prefix = network.prefix + whole(bits, 1);
    if (bits < 0 || prefix > network.size)
      throw new ValueError(`insufficient address space to extend prefix of ${network.prefix} by ${bits}`, 1);
    const number_ = BigInt(whole(at, 2));
    if (number_ < 0n || number_ >= 1n << BigInt(bits))
      throw new ValueError(`prefix extension of ${bits} does not accommodate a subnet numbered ${number_}`, 2);
    return formatNetwork({ ...network, address: network.address + (number_ << BigInt(network.size - prefix)), prefix });
  }),
  cidrsubnets: defineVariadic([text], number, ([cidr, ...all]) => {
    const network = parseNetwork(cidr);
    let next = network.address;
    const end = network.address + (1n << BigInt(network.size - network.prefix));
    return all.map((bits, at) => {
      const prefix = network.prefix + whole(bits, at + 1);
      if (bits < 1 || prefix > network.size)
        throw new ValueError('must extend prefix by at least one bit and stay within the address', at + 1);
      const step = 1n << BigInt(network.size - prefix);
      const address = ((next + step - 1n) / step) * step;
      if (address + step > end)
        throw new ValueError(`not enough remaining address space for a subnet with a prefix of ${prefix} bits`, at + 1);
      next = address + step;
      return formatNetwork({ address, size: network.size, prefix });
    });
  }),
};

function whole(value: number, at: number): number {
  if (!Number.isSafeInteger(value)) throw new ValueError('a whole number is required', at);
  return value;
}

function parseNetwork(cidr: string): Network {
  const [, host = '', bits = ''] = /^([^/]+)\/(\d{1,3})$/.exec(cidr) ?? [];
  const version = isIP(host);
  const size = version === 4 ? 32 : 128;
  const prefix = Number(bits);
  if (version === 0 || bits === '' || prefix > size)
    throw new ValueError(`invalid CIDR expression: ${JSON.stringify(cidr)}`, 0);
  const shift = BigInt(size - prefix);
  return { address: (addressOf(host, version) >> shift) << shift, size, prefix };
}

function addressOf(host: string, version: number): bigint {
  if (version === 4) return host.split('.').reduce((found, part) => (found << 8n) | BigInt(part), 0n);
  const plain = host.replace(/%.*$/, '').replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...parts: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
  });
  const [front = '', back] = plain.split('::');
  const left = front === '' ? [] : front.split(':');
  const right = back === undefined || back === '' ? [] : back.split(':');
  const zeros = back === undefined ? [] : Array.from({ length: 8 - left.length - right.length }, () => '0');
  return [...left, ...zeros, ...right].reduce((found, part) => (found << 16n) | BigInt(`0x${part}`), 0n);
}

function formatNetwork(network: Network): string {
  return `${formatAddress(network.address, network.size)}/${network.prefix}`;
}

function formatAddress(address: bigint, size: number): string {
  if (size === 32) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 255n).join('.');
  const parts = Array.from({ length: 8 }, (_, at) => ((address >> BigInt(112 - at * 16)) & 0xffffn).toString(16));
  // The longest run of zeros, where it is more than one, is left out (RFC 5952).
  let [best, length] = [0, 1];
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && parts[end] === '0') end += 1;
    if (end - at > length) [best, length] = [at, end - at];
  }
  if (length === 1) return parts.join(':');
  return `${parts.slice(0, best).join(':')}::${parts.slice(best + length).join(':')}`;
}
