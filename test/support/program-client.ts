/**
 * What a user does with a running program, over HTTP alone: shorten, follow, read the numbers in every place where they
 * are told. Works against any number of instances and any mode; it waits for conditions, never for a while.
 */
import { setTimeout as delay } from 'node:timers/promises';

/** Anything that answers HTTP; its address may be that of a process that is started again. */
export interface ProgramAddress {
  readonly baseUrl: string;
}

export interface ProgramLink {
  readonly code: string;
  readonly url: string;
  readonly version: number;
  readonly status: string;
  readonly visits: ProgramNumbers;
}

export interface ProgramNumbers {
  readonly total: number;
  readonly nonBots: number;
  readonly bots: number;
}

export interface ProgramStatistics extends ProgramNumbers {
  readonly prefetches: number;
  readonly uniqueVisitors: number;
  readonly series: readonly { readonly start: string; readonly total: number; readonly nonBots: number }[];
  readonly referrers: readonly { readonly name: string; readonly visits: number }[];
  readonly crawlers: readonly { readonly name: string; readonly visits: number }[];
  readonly position: { readonly token: string; readonly lagMs: number };
}

export interface FollowOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly headers?: Readonly<Record<string, string>>;
}

/** A browser, as most visitors send it. */
export const humanAgent =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36';
export const botAgent = 'Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)';

const pollMs = 10;
const readAgainForMs = 15_000;

export interface ProgramAnswer<Body> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

export function createProgramClient(program: ProgramAddress) {
  /** One request of the API; the body of the answer is parsed when it is JSON. */
  async function api<Body = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<ProgramAnswer<Body>> {
    const answer = await fetch(`${program.baseUrl}${path}`, {
      method,
      headers: {
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'manual',
    });
    const text = await answer.text();
    const isJson = /json/.test(answer.headers.get('content-type') ?? '');
    return { status: answer.status, headers: answer.headers, body: (isJson ? JSON.parse(text) : text) as Body };
  }

  /** The same, where only one status will do. Reading again after a 503, as its Retry-After asks, is what every client does. */
  async function expectApi<Body>(
    status: number,
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Body> {
    const deadline = performance.now() + readAgainForMs;
    for (;;) {
      const answer = await api<Body>(method, path, body, headers);
      if (answer.status === status) return answer.body;
      const again = method === 'GET' && answer.status === 503 && answer.headers.has('retry-after');
      if (!again || performance.now() > deadline) {
        const text = JSON.stringify(answer.body);
        throw new Error(`${method} ${path} answered ${answer.status} instead of ${status}: ${text}`);
      }
      await delay(pollMs);
    }
  }

  const statistics = (code: string) => expectApi<ProgramStatistics>(200, 'GET', `/api/links/${code}/stats`);

  return {
    api,
    expectApi,
    statistics,
    create: (body: { readonly url: string; readonly [member: string]: unknown }, headers = {}) =>
      expectApi<ProgramLink>(201, 'POST', '/api/links', body, headers),
    link: (code: string) => expectApi<ProgramLink>(200, 'GET', `/api/links/${code}`),
    list: () => expectApi<{ readonly links: readonly ProgramLink[] }>(200, 'GET', '/api/links?limit=100'),
    preview: (code: string) => expectApi<ProgramLink>(200, 'GET', `/${code}+`),

    /** Requests the short link as a person's browser does, and stops at the redirect. */
    async follow(code: string, options: FollowOptions = {}) {
      const answer = await fetch(`${program.baseUrl}/${code}`, {
        method: options.method ?? 'GET',
        headers: { 'user-agent': humanAgent, ...options.headers },
        redirect: 'manual',
      });
      await answer.arrayBuffer();
      return { status: answer.status, location: answer.headers.get('location'), headers: answer.headers };
    },

    /** Resolves when every visit that was answered until now is in the numbers. */
    async caughtUp(timeoutMs = readAgainForMs): Promise<void> {
      await eventually(
        'the numbers are complete',
        async () => {
          const { body } = await api<{ checks: { statistics: string } }>('GET', '/readyz');
          if (body.checks.statistics !== 'ok') throw new Error(`statistics: ${body.checks.statistics}`);
          const metrics = await api<string>('GET', '/metrics');
          const values = (name: string) =>
            [...metrics.body.matchAll(new RegExp(`^${name}\\{[^}]*\\} (\\d+)$`, 'gm'))].map((match) => match[1]);
          const ends = values('tallyhop_log_end_offset');
          return ends.length > 0 && `${ends}` === `${values('tallyhop_applied_offset')}` ? true : undefined;
        },
        timeoutMs,
      );
    },

    /** The statistics as soon as their total is `total`; fails when it is beyond, or not there after `timeoutMs`. */
    async statisticsAt(code: string, total: number, timeoutMs = 10_000): Promise<ProgramStatistics> {
      const deadline = performance.now() + timeoutMs;
      for (;;) {
        const answer = await api<ProgramStatistics>('GET', `/api/links/${code}/stats`);
        const shown = answer.status === 200 ? answer.body.total : -1;
        if (shown === total) return answer.body;
        if (shown > total) throw new Error(`${code} has the total ${shown}, beyond the ${total} expected`);
        if (performance.now() > deadline) throw new Error(`${code} has the total ${shown} in the end, not ${total}`);
        await delay(pollMs);
      }
    },

    /** Live totals of one code, absolute, as they come; ends when it is left. */
    async *liveTotals(code: string): AsyncGenerator<ProgramNumbers> {
      const abort = new AbortController();
      try {
        const answer = await fetch(`${program.baseUrl}/api/stream?codes=${code}`, { signal: abort.signal });
        if (answer.status !== 200 || answer.body === null) throw new Error(`the stream answered ${answer.status}`);
        let text = '';
        for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
          const events = (text + chunk).split('\n\n');
          text = events.pop() ?? '';
          for (const event of events) {
            const data = /^data: (.*)$/m.exec(event)?.[1];
            if (/^event: totals$/m.test(event) && data !== undefined) yield JSON.parse(data);
          }
        }
      } finally {
        abort.abort();
      }
    },
  };
}

export type ProgramClient = ReturnType<typeof createProgramClient>;

/** Asks again and again until there is an answer that will do. Errors count as none. */
export async function eventually<Value>(
  what: string,
  attempt: () => Promise<Value | undefined>,
  timeoutMs = 15_000,
): Promise<Value> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await attempt();
      if (value !== undefined) return value;
    } catch (error) {
      last = error;
    }
    await delay(pollMs);
  }
  throw new Error(`waited in vain until ${what}`, { cause: last });
}
