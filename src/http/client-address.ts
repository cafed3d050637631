/**
 * Who asks: the address of a request's client, and the key under which limits count it. The only reader of
 * `X-Forwarded-For`, and only as far as the settings trust proxies; nothing is guessed.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import ipaddr from 'ipaddr.js';
import { ipv4Number } from './ipv4.ts';

export interface ClientAddress {
  /** IPv4 in dots (also when it came IPv4-mapped) or IPv6; empty when the socket is gone. Never stored nor logged. */
  readonly address: string;
  /** IPv4 address or IPv6 /64: a home or a rented machine has a whole /64, so it counts as one client. */
  readonly limitKey: string;
}

/** How many proxies stand in front, or the networks (CIDR, or single addresses) that they connect from. */
export type TrustedProxies = { readonly hops: number } | { readonly cidrs: readonly string[] };

export type FindClientAddress = (request: IncomingMessage) => ClientAddress;

/** Entries of `X-Forwarded-For` looked at, from the right; longer chains of proxies do not exist. */
const forwardedEntriesMax = 100;

export function createClientAddress(trusted: TrustedProxies): FindClientAddress {
  const ofSockets = new WeakMap<Socket, ClientAddress>();

  function ofSocket(socket: Socket): ClientAddress {
    let found = ofSockets.get(socket);
    if (found === undefined) {
      found = describe(parseAddress(socket.remoteAddress ?? ''));
      ofSockets.set(socket, found);
    }
    return found;
  }

  const isTrusted = trustCheck(trusted);
  if (isTrusted === null) return (request) => ofSocket(request.socket);

  return (request) => {
    let client = ofSocket(request.socket);
    const header = request.headers['x-forwarded-for'];
    if (header === undefined) return client;
    const entries = entriesOf(typeof header === 'string' ? header : header.join(','));
    // From the right: each hop was written by the one after it, so it is true as far as the hops behind it are trusted.
    for (let hop = 0; client.address !== '' && isTrusted(client.address, hop); hop++) {
      const before = entries.pop();
      const found = before === undefined ? null : forwardedAddress(before.trim());
      if (found === null) break;
      client = found;
    }
    return client;
  };
}

/** The last entries of the header. */
function entriesOf(header: string): string[] {
  return header.includes(',') ? header.split(',').slice(-forwardedEntriesMax) : [header];
}

/** One entry of the header; IPv4 as proxies write it needs no taking apart. */
function forwardedAddress(entry: string): ClientAddress | null {
  if (ipv4Number(entry) >= 0) return { address: entry, limitKey: entry };
  const address = parseAddress(withoutPort(entry));
  return address === null ? null : describe(address);
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

/** Whether the node at `hop` (0 = the one that connected to us) may speak for the one before it; null = nobody may. */
function trustCheck(trusted: TrustedProxies): ((address: string, hop: number) => boolean) | null {
  if ('hops' in trusted) return trusted.hops === 0 ? null : (_address, hop) => hop < trusted.hops;
  if (trusted.cidrs.length === 0) return null;
  const networks = trusted.cidrs.map((cidr): [Address, number] => {
    if (cidr.includes('/')) return ipaddr.parseCIDR(cidr);
    const address = ipaddr.parse(cidr);
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  });
  return (text) => {
    const address = ipaddr.parse(text);
    return networks.some(([network, prefix]) => network.kind() === address.kind() && address.match(network, prefix));
  };
}

function parseAddress(text: string): Address | null {
  // Bounded before it is parsed: the longest address in text has 45 characters, and a zone.
  if (text.length > 100) return null;
  const bare = text.split('%', 1)[0] ?? '';
  if (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare)) return null;
  return ipaddr.process(bare);
}

/** Some proxies append the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(entry: string): string {
  const bracketed = /^\[([^\]]+)\](?::\d+)?$/.exec(entry);
  if (bracketed !== null) return bracketed[1] ?? '';
  return /^[\d.]+:\d+$/.test(entry) ? entry.slice(0, entry.indexOf(':')) : entry;
}

function describe(address: Address | null): ClientAddress {
  if (address === null) return { address: '', limitKey: '' };
  if (address instanceof ipaddr.IPv4) {
    const text = address.toString();
    return { address: text, limitKey: text };
  }
  const prefix = address.parts.slice(0, 4).map((part) => part.toString(16));
  return { address: address.toString(), limitKey: `${prefix.join(':')}::/64` };
}
