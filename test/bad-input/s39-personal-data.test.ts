import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { call, postJson } from '../support/http-client.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

const ipv4 = '203.0.113.77';
const ipv6 = '2001:db8:beef:cafe::4d4d';

/** Words that stand in what a visitor sends, and may stand nowhere afterwards. */
const canaries = [
  ipv4,
  'db8:beef:cafe',
  '4d4d',
  'canarypath',
  'canarytoken',
  'canaryuser',
  'canarysecret',
  'canaryagent',
  'canarydevice',
  'canary-build-7781',
  '131.0.6778.204',
  'canarycookie',
  'canaryauth',
  'canaryquery',
  'canaryfragment',
  'canaryetag',
  'canarykey',
  'canaryvia',
  'canaryplatform',
];

/** The addresses as they would stand in a binary record. */
const binaryCanaries = [Buffer.from([203, 0, 113, 77]), Buffer.from('20010db8beefcafe', 'hex')];

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function hitsIn(name: string, bytes: Buffer): readonly string[] {
  const text = bytes.toString('latin1').toLowerCase();
  const hits = canaries.filter((canary) => text.includes(canary)).map((canary) => `${name}: ${canary}`);
  return [...hits, ...binaryCanaries.filter((canary) => bytes.includes(canary)).map(() => `${name}: an address`)];
}

describe('what a visitor sends (S39)', () => {
  let program: RunningProgram;
  beforeAll(async () => {
    program = await startProgram({ env: { TRUSTED_PROXIES: '1', LOG_LEVEL: 'trace' } });
    expect((await postJson(program.port, '/api/links', { url: 'https://example.com/', alias: 'link' })).status).toBe(
      201,
    );
  });
  afterAll(() => program.dispose());

  const hostileVisit = (address: string) => ({
    'X-Forwarded-For': address,
    'User-Agent':
      'Mozilla/5.0 (Linux; Android 14; CanaryDevice SM-S9180 Build/canary-build-7781) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.6778.204 Mobile Safari/537.36 CanaryAgent/987654321 canaryuser@example.com',
    Referer: 'https://canaryuser:canarysecret@intranet.example/canarypath?token=canarytoken#canaryfragment',
    Cookie: 'session=canarycookie',
    Authorization: 'Bearer canaryauth',
    'If-None-Match': '"canaryetag"',
    'Idempotency-Key': 'canarykey',
    Via: '1.1 canaryvia',
    'Sec-CH-UA-Platform': '"canaryplatform"',
    'Accept-Language': 'de-DE-canarytoken',
  });

  it('S39 is counted, and stands nowhere in the data folder or in the log of the program', async () => {
    const { port } = program;
    for (const address of [ipv4, ipv6]) {
      const headers = hostileVisit(address);
      for (const path of [
        '/link?token=canaryquery&email=canaryuser@example.com',
        '/link/?q=canaryquery',
        '/canarypath?token=canaryquery',
        '/link+?token=canaryquery',
        '/api/links/link?token=canaryquery',
        '/api/links/canarypath',
        '/stats/link?zone=canaryquery',
        '/links?q=canaryquery',
        '/api/links?q=canaryquery',
        '/api/stream?codes=canarypath',
      ]) {
        expect((await call(port, { path, headers })).status).toBeLessThan(500);
      }
      const agent = headers['User-Agent'].replace(/ CanaryAgent.*/, '');
      const referer = { ...headers, 'User-Agent': agent, Referer: 'https://search.example/canarypath?q=canarytoken' };
      expect((await call(port, { path: '/link', headers: referer })).status).toBe(302);
      // Refused bodies leave nothing either; a key of a creation is kept as a hash alone.
      await postJson(
        port,
        '/api/links',
        { url: 'https://user:canarysecret@example.com/', alias: 'canarypath/' },
        headers,
      );
      await postJson(
        port,
        '/api/links',
        { url: 'https://example.com/kept' },
        { ...headers, 'Idempotency-Key': `canarykey${address.length}` },
      );
      await postJson(port, '/api/links', '{"url": canarytoken', headers);
    }

    const deadline = performance.now() + 10_000;
    let statistics: { total: number; referrers: { name: string }[]; devices: { name: string }[] };
    do {
      const { text } = await call(port, { path: '/api/links/link/stats' });
      statistics = JSON.parse(text);
    } while (statistics.total < 6 && performance.now() < deadline);
    expect(statistics.total).toBe(6);
    expect(statistics.referrers.map(({ name }) => name)).toContain('search.example');

    // While it runs, after a stop that writes everything out, and after a start that may rewrite it.
    const look = () => filesBelow(program.dataDir).flatMap((file) => hitsIn(file, readFileSync(file)));
    expect(look()).toEqual([]);
    await program.restart();
    expect(look()).toEqual([]);
    await program.stop();
    expect(filesBelow(program.dataDir).length).toBeGreaterThan(8);
    expect(look()).toEqual([]);
    expect(hitsIn('output', Buffer.from(program.output))).toEqual([]);
  });

  it('S39 would be found by this search: the code and the referring host are', () => {
    const everything = Buffer.concat(filesBelow(program.dataDir).map((file) => readFileSync(file)));
    expect(everything.includes('search.example')).toBe(true);
    expect(everything.includes('link')).toBe(true);
    expect(hitsIn('text', Buffer.from(`x${ipv4}y`))).toEqual([`text: ${ipv4}`]);
    expect(hitsIn('bytes', Buffer.from([1, 203, 0, 113, 77, 2]))).toEqual(['bytes: an address']);
  });
});
