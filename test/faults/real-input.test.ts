/**
 * Real input: every http(s) URL in the readmes, changelogs and manifests of the installed packages is shortened and
 * followed. What the stated policy takes leads to `new URL(input).href`, byte for byte; what is refused has a reason in it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { inParallel } from '../support/in-parallel.ts';
import { type RunningProgram, startProgram } from '../support/running-program.ts';

jest.setTimeout(120_000);

const packages = fileURLToPath(new URL('../../node_modules', import.meta.url));
const filesRead = /^(readme|changelog|history|changes|package)(\..*)?$/i;
const urlsMin = 1_000;

describe('URLs as people write them', () => {
  let program: RunningProgram;
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });

  beforeAll(async () => {
    program = await startProgram();
  });
  afterAll(async () => {
    agent.destroy();
    await program.dispose();
  });

  interface Answer {
    readonly status: number;
    readonly location: string | undefined;
    readonly body: string;
  }

  // Not fetch: what it makes of a Location is what is to be tested.
  function ask(method: string, path: string, body?: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const sent = request({ port: program.port, host: '127.0.0.1', method, path, headers, agent }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () =>
          resolve({ status: answer.statusCode ?? 0, location: answer.headers.location, body: text }),
        );
        answer.on('error', reject);
      });
      sent.on('error', reject);
      sent.end(body);
    });
  }

  it('lead where they say, or are refused by the stated policy', async () => {
    const urls = [...urlsOf(packages)];
    expect(urls.length).toBeGreaterThan(urlsMin);
    const wrong: string[] = [];
    const withoutReason: string[] = [];
    const refused = new Map<string, number>();
    const codes = new Map<string, string>();
    let outsidePolicy = 0;
    let accepted = 0;

    await inParallel(16, urls, async (url) => {
      const reason = policyReason(url);
      const answer = await ask('POST', '/api/links', JSON.stringify({ url }));
      if (answer.status === 201 || answer.status === 200) {
        accepted += 1;
        const { code } = JSON.parse(answer.body);
        const { href } = new URL(url);
        const other = codes.get(code);
        if (other !== undefined && other !== href) wrong.push(`${code} was given to ${other} and ${href}`);
        codes.set(code, href);
        const { status, location } = await ask('GET', `/${code}`);
        if (status !== 302 || location !== href) wrong.push(`${url}: ${status} ${location} instead of ${href}`);
        if (reason !== null) wrong.push(`${url} was taken, but ${reason}`);
        return;
      }
      if (reason !== null) outsidePolicy += 1;
      const { errors } = JSON.parse(answer.body) as { errors?: { field: string; code: string }[] };
      const error = errors?.find(({ field }) => field === 'url');
      refused.set(error?.code ?? 'none', (refused.get(error?.code ?? 'none') ?? 0) + 1);
      if (answer.status !== 422 || error === undefined || reason === null) {
        withoutReason.push(`${answer.status} ${error?.code}: ${url}`);
      }
    });

    const valid = urls.length - outsidePolicy;
    process.stdout.write(
      `real input: ${urls.length} URLs, ${accepted} taken and followed, ${outsidePolicy} outside the policy ` +
        `(${JSON.stringify(Object.fromEntries(refused))}), ${valid - accepted} of ${valid} wrongly refused, ` +
        `${wrong.length} wrong targets\n`,
    );
    expect(wrong.slice(0, 10)).toEqual([]);
    expect({ accepted: accepted / valid >= 0.999, withoutReason: withoutReason.slice(0, 20) }).toEqual({
      accepted: true,
      withoutReason: [],
    });
  });
});

/** Every URL in the texts of the installed packages, as a person would copy it from there. */
function urlsOf(root: string): ReadonlySet<string> {
  const urls = new Set<string>();
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile() || !filesRead.test(entry.name)) continue;
    const text = readFileSync(join(entry.parentPath, entry.name), 'utf8');
    const isMarkdown = /\.(md|markdown)$/i.test(entry.name);
    for (const [found] of text.matchAll(/https?:\/\/[^\s<>"'`]+/gi)) {
      const url = asCopied(found, isMarkdown);
      if (url !== null) urls.add(url);
    }
  }
  return urls;
}

/** Without what belongs to the text around it: Markdown's brackets and emphasis, JSON's escapes, the end of a sentence. */
function asCopied(found: string, isMarkdown: boolean): string | null {
  let url = found;
  if (isMarkdown) url = url.replace(/\\([!-/:-@[-`{|}~])/g, '$1');
  // JSON in a manifest or an example, a template, or a pattern rather than a URL.
  if (/[\\${}|^[]|\*\*|…|\.\.\.$/.test(url)) url = url.split(/[\\${}|^[]|\*\*|…|\.\.\.$/)[0] ?? '';
  for (;;) {
    const before = url;
    url = url.replace(/[.,;:!?*_~\]#]+$/, '');
    const opened = url.split('(').length;
    const closed = url.split(')').length;
    if (closed > opened) url = url.slice(0, url.lastIndexOf(')'));
    // `[text](url)](other` and the like: what follows the first closing bracket is not of the URL.
    const bracket = url.indexOf(']');
    if (bracket >= 0 && !/^https?:\/\/\[/.test(url)) url = url.slice(0, bracket);
    if (url === before) break;
  }
  return URL.canParse(url) ? url : null;
}

/** Why the stated policy (README: what may be shortened) refuses a URL, or null. Written anew here, from the policy's words. */
function policyReason(url: string): string | null {
  const { href, hostname, username, password } = new URL(url);
  if (href.length > 2_048) return 'it is longer than 2,048 characters';
  if (username !== '' || password !== '') return 'it holds credentials';
  const host = hostname.replace(/\.$/, '');
  if (/^(localhost|.*\.localhost|.*\.local|.*\.internal|.*\.home\.arpa)$/.test(host)) return 'its host is a local name';
  if (
    /^(0|10|127)\.|^169\.254\.|^192\.168\.|^172\.(1[6-9]|2\d|3[01])\.|^100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\./.test(
      host,
    )
  ) {
    return 'its address is private';
  }
  if (/^\[(::1?|f[cd].*|fe[89ab].*)\]$/.test(host)) return 'its address is private';
  return null;
}
