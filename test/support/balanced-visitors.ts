/**
 * Visitors of short links in front of several instances, as a load balancer sends them on: round and round over those whose
 * `/readyz` answers 200 (over all when none does), over keep-alive connections that end when the instance says so, elsewhere
 * when nobody listens. They come at a steady rate whatever the answers are. Each visit ends as one of four: answered (the whole 302 was received),
 * refused (another whole answer), unknown (sent, and no whole answer came), not sent (no instance took the connection).
 */
import { Agent, get, type IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { humanAgent } from './program-client.ts';

export interface BalancedVisitorsOptions {
  readonly ports: readonly number[];
  readonly perSecond: number;
  readonly nextCode: () => string;
}

export interface BalancedVisitors {
  readonly answered: ReadonlyMap<string, number>;
  readonly unknown: ReadonlyMap<string, number>;
  /** Other whole answers by their status. */
  readonly refused: ReadonlyMap<number, number>;
  /** What went wrong with those whose outcome is unknown, by the error's code. */
  readonly errors: ReadonlyMap<string, number>;
  /** Visits that found no instance. */
  readonly notSent: number;
  /** Whole 302 answers of each instance. */
  readonly answeredBy: readonly number[];
  /** The longest time without any whole 302 while visits came, ms. */
  readonly longestGapMs: number;
  /** Whole 302 answers until now. */
  count(): number;
  start(): void;
  /** Resolves when so many more visits were answered with a whole 302. */
  more(visits: number): Promise<void>;
  /** No more visits come; resolves when none is under way. */
  stop(): Promise<void>;
}

/** Visits under way at once; who comes beyond that stays away, so that an outage builds no crowd without bound. */
const underWayMax = 600;
const probeIntervalMs = 50;
const probeTimeoutMs = 5_000;
const answerTimeoutMs = 20_000;
const tickMs = 5;

export function createBalancedVisitors(options: BalancedVisitorsOptions): BalancedVisitors {
  const { ports, perSecond, nextCode } = options;
  const instances = ports.map((port) => ({ port, isReady: true, agent: new Agent({ keepAlive: true }), answered: 0 }));
  const headers = { 'user-agent': humanAgent };
  const answered = new Map<string, number>();
  const unknown = new Map<string, number>();
  const refused = new Map<number, number>();
  const errors = new Map<string, number>();
  let count = 0;
  let notSent = 0;
  let underWay = 0;
  let turn = 0;
  let lastAnswerMs: number | null = null;
  let longestGapMs = 0;
  let timer: NodeJS.Timeout | null = null;
  let waiting: { readonly isOver: () => boolean; readonly resolve: () => void }[] = [];
  let probing: Promise<unknown> = Promise.resolve();

  type Target = (typeof instances)[number];
  type Outcome = { readonly status: number } | { readonly error: string };

  function visit({ port, agent }: Target, code: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const sent = get({ port, host: '127.0.0.1', path: `/${code}`, agent, headers, timeout: answerTimeoutMs });
      const isLate = setTimeout(
        () => sent.destroy(Object.assign(new Error('late'), { code: 'late' })),
        answerTimeoutMs,
      );
      const end = (outcome: Outcome) => {
        clearTimeout(isLate);
        resolve(outcome);
      };
      sent.on('response', (answer: IncomingMessage) => {
        answer.resume();
        answer.on('end', () => end(answer.complete ? { status: answer.statusCode ?? 0 } : { error: 'incomplete' }));
        answer.on('error', () => end({ error: 'incomplete' }));
        answer.on('close', () => end({ error: 'incomplete' }));
      });
      sent.on('error', (error: NodeJS.ErrnoException) => end({ error: error.code ?? error.message }));
    });
  }

  async function send(code: string): Promise<void> {
    underWay += 1;
    // Nobody listens at one of them: the connection was never made, and the next one is tried.
    for (let attempt = 0; attempt < 2 * instances.length; attempt += 1) {
      const target = nextInstance();
      if (target === undefined) break;
      const outcome = await visit(target, code);
      if ('error' in outcome && outcome.error === 'ECONNREFUSED') {
        target.isReady = false;
        continue;
      }
      note(target, code, outcome);
      underWay -= 1;
      settle();
      return;
    }
    notSent += 1;
    underWay -= 1;
    settle();
  }

  /** The next in turn of those that are ready; when none says so, of all: somebody may only have been slow to say it. */
  function nextInstance(): Target | undefined {
    turn += 1;
    const ready = instances.filter(({ isReady }) => isReady);
    const choice = ready.length > 0 ? ready : instances;
    return choice[turn % choice.length];
  }

  function note(target: Target, code: string, outcome: Outcome): void {
    if ('error' in outcome) {
      add(unknown, code);
      add(errors, outcome.error);
      return;
    }
    if (outcome.status !== 302) {
      add(refused, outcome.status);
      return;
    }
    add(answered, code);
    target.answered += 1;
    count += 1;
    const nowMs = performance.now();
    if (lastAnswerMs !== null) longestGapMs = Math.max(longestGapMs, nowMs - lastAnswerMs);
    lastAnswerMs = nowMs;
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

  async function probe(target: Target): Promise<void> {
    while (timer !== null) {
      target.isReady = await isReady(target.port);
      await delay(probeIntervalMs);
    }
  }

  return {
    answered,
    unknown,
    refused,
    errors,
    get notSent() {
      return notSent;
    },
    get answeredBy() {
      return instances.map((instance) => instance.answered);
    },
    get longestGapMs() {
      return longestGapMs;
    },
    count: () => count,
    start() {
      let dueMs = performance.now();
      lastAnswerMs = dueMs;
      timer = setInterval(() => {
        const nowMs = performance.now();
        for (; dueMs <= nowMs; dueMs += 1_000 / perSecond) if (underWay < underWayMax) void send(nextCode());
      }, tickMs);
      probing = Promise.all(instances.map(probe));
    },
    more(visits) {
      const goal = count + visits;
      return when(() => count >= goal);
    },
    async stop() {
      if (timer !== null) clearInterval(timer);
      timer = null;
      await when(() => underWay === 0);
      await probing;
      for (const { agent } of instances) agent.destroy();
    },
  };
}

/** As a load balancer asks, on a connection of its own. */
async function isReady(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`, {
      headers: { connection: 'close' },
      signal: AbortSignal.timeout(probeTimeoutMs),
    });
    await answer.arrayBuffer();
    return answer.status === 200;
  } catch {
    return false;
  }
}

function add<Key>(numbers: Map<Key, number>, key: Key): void {
  numbers.set(key, (numbers.get(key) ?? 0) + 1);
}
