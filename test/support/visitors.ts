/**
 * Visitors of short links over keep-alive connections, as many requests at once as there are visitors. Each visit ends
 * as one of three: answered (the whole 302 was received), refused (another whole answer), unknown (sent, and no whole
 * answer came). A connection that was never made is no visit.
 */
import { Agent, request } from 'node:http';
import { humanAgent } from './program-client.ts';

export interface VisitorsOptions {
  readonly port: number;
  readonly visitors: number;
  /** The code of the next visit, or null when there are enough. */
  readonly nextCode: () => string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Visitors {
  readonly answered: ReadonlyMap<string, number>;
  readonly unknown: ReadonlyMap<string, number>;
  /** Other whole answers by their status. */
  readonly refused: ReadonlyMap<number, number>;
  /** The longest time without any whole 302, ms, since the first one. */
  readonly longestGapMs: number;
  /** Whole 302 answers until now. */
  count(): number;
  /** Requests under way. */
  inFlight(): number;
  /** Lets visits go on, after the start and after a pause. */
  resume(): void;
  /** Starts no more visits; resolves when none is under way. */
  pause(): Promise<void>;
  /** Resolves when `count()` has reached `visits`, or there are no more. */
  reached(visits: number): Promise<void>;
  /** Resolves when `nextCode` has ended and no request is under way. */
  done(): Promise<void>;
}

type Outcome = number | 'unknown' | 'not-sent';

export function createVisitors(options: VisitorsOptions): Visitors {
  const agent = new Agent({ keepAlive: true, maxSockets: options.visitors });
  const headers = { 'user-agent': humanAgent, ...options.headers };
  const answered = new Map<string, number>();
  const unknown = new Map<string, number>();
  const refused = new Map<number, number>();
  let count = 0;
  let running = 0;
  let paused = true;
  let resumes = 0;
  let exhausted = false;
  let lastAnswerMs = 0;
  let longestGapMs = 0;
  let waiting: { readonly isOver: () => boolean; readonly resolve: () => void }[] = [];

  function visit(code: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const sent = request({ port: options.port, host: '127.0.0.1', path: `/${code}`, agent, headers }, (answer) => {
        answer.resume();
        answer.on('end', () => resolve(answer.complete ? (answer.statusCode ?? 0) : 'unknown'));
        answer.on('error', () => resolve('unknown'));
        answer.on('close', () => resolve('unknown'));
      });
      sent.on('error', (error: NodeJS.ErrnoException) => {
        resolve(error.code === 'ECONNREFUSED' ? 'not-sent' : 'unknown');
      });
      sent.end();
    });
  }

  function note(code: string, outcome: Outcome): void {
    if (outcome === 302) {
      add(answered, code);
      count += 1;
      const nowMs = performance.now();
      if (lastAnswerMs > 0) longestGapMs = Math.max(longestGapMs, nowMs - lastAnswerMs);
      lastAnswerMs = nowMs;
    } else if (outcome === 'unknown') add(unknown, code);
    else if (outcome !== 'not-sent') add(refused, outcome);
  }

  async function visitor(): Promise<void> {
    running += 1;
    while (!paused) {
      const code = options.nextCode();
      if (code === null) {
        exhausted = true;
        break;
      }
      const resumedBefore = resumes;
      const outcome = await visit(code);
      note(code, outcome);
      // Nobody is there: until `resume` says that there is, which it may have said meanwhile.
      if (outcome === 'not-sent' && resumes === resumedBefore) paused = true;
      settle();
    }
    running -= 1;
    settle();
  }

  function settle(): void {
    const over = waiting.filter(({ isOver }) => isOver());
    if (over.length === 0) return;
    waiting = waiting.filter(({ isOver }) => !isOver());
    for (const { resolve } of over) resolve();
  }

  function when(isOver: () => boolean): Promise<void> {
    if (isOver()) return Promise.resolve();
    return new Promise((resolve) => waiting.push({ isOver, resolve }));
  }

  return {
    answered,
    unknown,
    refused,
    get longestGapMs() {
      return longestGapMs;
    },
    count: () => count,
    inFlight: () => running,
    resume() {
      paused = false;
      resumes += 1;
      for (let started = running; started < options.visitors && !exhausted; started += 1) void visitor();
    },
    pause() {
      paused = true;
      return when(() => running === 0);
    },
    reached: (visits) => when(() => count >= visits || (exhausted && running === 0)),
    done: () => when(() => exhausted && running === 0),
  };
}

function add<Key>(numbers: Map<Key, number>, key: Key): void {
  numbers.set(key, (numbers.get(key) ?? 0) + 1);
}

export function sumOf(numbers: ReadonlyMap<unknown, number>): number {
  return [...numbers.values()].reduce((sum, number) => sum + number, 0);
}
