/** What the browser tests do again and again on the running program: make links, visit them, wait for numbers. */
import { get } from 'node:http';

export interface MadeLink {
  readonly code: string;
  readonly shortUrl: string;
  readonly url: string;
}

export const humanAgent =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36';

export async function makeLink(baseUrl: string, body: Readonly<Record<string, unknown>>): Promise<MadeLink> {
  const response = await fetch(`${baseUrl}/api/links`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`no link was made: ${response.status} ${await response.text()}`);
  return (await response.json()) as MadeLink;
}

/** One GET of a short link that follows nothing: status and Location. */
export function follow(
  address: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly status: number; readonly location: string | undefined }> {
  return new Promise((resolve, reject) => {
    get(address, { headers: { 'user-agent': humanAgent, ...headers } }, (response) => {
      response.resume();
      response.on('end', () => resolve({ status: response.statusCode ?? 0, location: response.headers.location }));
    }).on('error', reject);
  });
}

/** Follows a link so many times, a few at once; throws when one answer is no redirect. */
export async function visit(
  link: MadeLink,
  times: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  let left = times;
  const one = async () => {
    while (left-- > 0) {
      const { status } = await follow(link.shortUrl, headers);
      if (status !== 302) throw new Error(`a visit of ${link.shortUrl} was answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
}

/** Visits by people. */
export async function totalOf(baseUrl: string, code: string): Promise<number> {
  return (await visitsOf(baseUrl, code)).nonBots;
}

/** Visits by people and bots: the browser of the tests is one of these. */
export async function allVisitsOf(baseUrl: string, code: string): Promise<number> {
  return (await visitsOf(baseUrl, code)).total;
}

async function visitsOf(baseUrl: string, code: string): Promise<{ readonly total: number; readonly nonBots: number }> {
  const response = await fetch(`${baseUrl}/api/links/${code}`);
  return ((await response.json()) as { visits: { total: number; nonBots: number } }).visits;
}

/** Waits until a condition holds; throws with what was seen last when it does not in time. */
export async function until<T>(read: () => Promise<T> | T, holds: (value: T) => boolean, timeoutMs = 5000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    if (Date.now() > deadline) throw new Error(`after ${timeoutMs} ms it is still ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
