import type { IncomingMessage } from 'node:http';
import { createClientAddress, type TrustedProxies } from '../../src/http/client-address.ts';

function from(remoteAddress: string | undefined, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage;
}

const nobody: TrustedProxies = { hops: 0 };

describe('the address of a client', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80::1', 'fe80:0:0:0::/64'],
    ['::1', '::1', '0:0:0:0::/64'],
  ])('%s is %s, limited as %s', (remote, address, limitKey) => {
    expect(createClientAddress(nobody)(from(remote))).toEqual({ address, limitKey });
  });

  it('is empty when the socket is gone', () => {
    expect(createClientAddress(nobody)(from(undefined))).toEqual({ address: '', limitKey: '' });
  });

  it('is the same for 10,000 forged X-Forwarded-For headers when no proxy is trusted (S21)', () => {
    const find = createClientAddress(nobody);
    const keys = new Set<string>();
    for (let forged = 0; forged < 10_000; forged++) {
      keys.add(find(from('192.0.2.7', `10.${forged >> 8}.${forged & 255}.1, 1.1.1.1`)).limitKey);
    }
    expect([...keys]).toEqual(['192.0.2.7']);
  });

  it('has one limit for a whole /64, and another for the next (S21)', () => {
    const find = createClientAddress(nobody);
    const keys = new Set<string>();
    for (let host = 0; host < 10_000; host++) keys.add(find(from(`2001:db8:0:1::${host.toString(16)}`)).limitKey);
    expect(keys.size).toBe(1);
    expect(keys.has(find(from('2001:db8:0:2::1')).limitKey)).toBe(false);
  });

  it.each<[string, TrustedProxies, string, string | undefined, string]>([
    ['what one trusted proxy wrote', { hops: 1 }, '10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['not what stood there before it', { hops: 1 }, '10.0.0.1', '6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['one hop further for two proxies', { hops: 2 }, '10.0.0.1', '6.6.6.6, 203.0.113.9, 10.0.0.2', '203.0.113.9'],
    ['the proxy itself when it wrote nothing', { hops: 1 }, '10.0.0.1', undefined, '10.0.0.1'],
    ['the last good hop when an entry is garbage', { hops: 2 }, '10.0.0.1', 'garbage, 10.0.0.2', '10.0.0.2'],
    [
      'the first network not trusted',
      { cidrs: ['10.0.0.0/8'] },
      '10.0.0.1',
      '6.6.6.6, 203.0.113.9, 10.9.9.9',
      '203.0.113.9',
    ],
    ['the socket when it is not trusted', { cidrs: ['10.0.0.0/8'] }, '203.0.113.9', '6.6.6.6', '203.0.113.9'],
    ['by a single address', { cidrs: ['10.0.0.1'] }, '10.0.0.1', '6.6.6.6, 203.0.113.9', '203.0.113.9'],
    ['through a mapped proxy', { cidrs: ['10.0.0.0/8'] }, '::ffff:10.0.0.1', '203.0.113.9', '203.0.113.9'],
    ['through IPv6 proxies', { cidrs: ['fd00::/8'] }, 'fd00::1', '2001:db8::9', '2001:db8::9'],
    ['without the port that a proxy appended', { hops: 1 }, '10.0.0.1', '203.0.113.9:4711', '203.0.113.9'],
    ['without brackets and port', { hops: 1 }, '10.0.0.1', '[2001:db8::9]:4711', '2001:db8::9'],
    ['never a name', { hops: 1 }, '10.0.0.1', 'localhost', '10.0.0.1'],
    ['never a number that only looks like one', { hops: 1 }, '10.0.0.1', '0x7f.1', '10.0.0.1'],
  ])('behind proxies is %s', (_what, trusted, remote, forwarded, address) => {
    expect(createClientAddress(trusted)(from(remote, forwarded)).address).toBe(address);
  });

  it('does not get lost in an endless chain', () => {
    const find = createClientAddress({ cidrs: ['10.0.0.0/8'] });
    const chain = Array.from({ length: 5_000 }, () => '10.0.0.2').join(', ');
    expect(find(from('10.0.0.1', `6.6.6.6, ${chain}`)).address).toBe('10.0.0.2');
  });
});
