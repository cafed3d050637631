/**
 * Fetches for all readers of this process: one request asks a broker for every partition that somebody waits for, and is held
 * open by the broker until a record comes. A partition that becomes hungry meanwhile is asked for on another lane at once, and
 * joins the others when both come back.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/logger.ts';
import { type FetchAnswer, fetchRecords } from './broker-requests.ts';
import type { KafkaCluster } from './kafka-cluster.ts';
import { errorName } from './kafkajs-internals.ts';

/** A reader of one partition, as the fetcher sees it. */
export interface FetchTarget {
  readonly topic: string;
  readonly partition: number;
  /** From where to fetch now; null when it has enough, or no use for more. */
  wanted(): number | null;
  /** What was found at `offset`: records, the end, or that the offset is out of range. */
  take(offset: number, answer: FetchAnswer): void;
}

export interface PartitionFetcher {
  /** Fetches for the target from now on. Returns the function that ends it. */
  add(target: FetchTarget): () => void;
  /** The target wants something that it did not want before. */
  wake(): void;
  close(): void;
}

/** How long a broker holds a request that finds nothing: the pulse of an idle process. */
const waitMaxMs = 200;
/** Another lane is not worth it when the main one is back so soon. */
const rejoinMs = 5;
const lanes = 4;
const partitionBytesMax = 1024 * 1024;
const answerBytesMax = 8 * 1024 * 1024;
/** After records that lead up to the end: what comes within it shares the next request, which bounds the requests a second. */
const restMs = 3;
const retryDelayMinMs = 50;
const retryDelayMaxMs = 500;

interface Entry {
  readonly target: FetchTarget;
  /** The offset of the request under way for it. */
  asked: number | null;
  restUntilMs: number;
  retryDelayMs: number;
}

interface LaneUse {
  endsAtMs: number;
}

export function createPartitionFetcher(cluster: KafkaCluster, clock: Clock, logger: Logger): PartitionFetcher {
  const entries = new Set<Entry>();
  /** By node, then lane. */
  const inUse = new Map<number, Map<number, LaneUse>>();
  let learning = false;
  let timer: NodeJS.Timeout | null = null;
  let timerAtMs = Number.POSITIVE_INFINITY;
  let scheduled = false;
  let closed = false;

  /** Soon, and once for all that is asked for in this turn. */
  function wake(): void {
    if (scheduled || closed) return;
    scheduled = true;
    queueMicrotask(() => {
      scheduled = false;
      pump();
    });
  }

  function wakeAt(atMs: number): void {
    if (atMs >= timerAtMs || closed) return;
    if (timer !== null) clearTimeout(timer);
    timerAtMs = atMs;
    timer = setTimeout(
      () => {
        timer = null;
        timerAtMs = Number.POSITIVE_INFINITY;
        pump();
      },
      Math.max(1, Math.ceil(atMs - clock.monotonicMs())),
    );
  }

  function pump(): void {
    if (closed) return;
    const nowMs = clock.monotonicMs();
    const byNode = new Map<number, Entry[]>();
    for (const entry of entries) {
      const wanted = entry.target.wanted();
      if (wanted === null || wanted === entry.asked) continue;
      if (entry.restUntilMs > nowMs) {
        wakeAt(entry.restUntilMs);
        continue;
      }
      const node = cluster.knownLeader(entry.target.topic, entry.target.partition);
      if (node === undefined) {
        learnLeader(entry);
        continue;
      }
      const hungry = byNode.get(node);
      if (hungry === undefined) byNode.set(node, [entry]);
      else hungry.push(entry);
    }
    for (const [node, hungry] of byNode) feed(node, hungry, nowMs);
  }

  function feed(node: number, hungry: readonly Entry[], nowMs: number): void {
    let used = inUse.get(node);
    if (used === undefined) {
      used = new Map();
      inUse.set(node, used);
    }
    const main = used.get(0);
    if (main === undefined) {
      fetchOn(node, 0, hungry, waitMaxMs);
      return;
    }
    const leftMs = Math.floor(main.endsAtMs - nowMs) - rejoinMs;
    if (leftMs <= 0) return;
    for (let lane = 1; lane < lanes; lane++) {
      if (used.has(lane)) continue;
      fetchOn(node, lane, hungry, leftMs);
      return;
    }
  }

  function fetchOn(node: number, lane: number, hungry: readonly Entry[], waitMs: number): void {
    const questions = hungry.map((entry) => {
      const { topic, partition } = entry.target;
      const offset = entry.target.wanted() ?? 0;
      entry.asked = offset;
      return { entry, topic, partition, offset, bytesMax: partitionBytesMax };
    });
    const use = { endsAtMs: clock.monotonicMs() + waitMs };
    const used = inUse.get(node) ?? new Map<number, LaneUse>();
    inUse.set(node, used.set(lane, use));
    // Whoever was asked for first is the last the next time: what fills an answer up must not always come from the same.
    const [first] = questions;
    if (first !== undefined && entries.delete(first.entry)) entries.add(first.entry);
    const exchange = async (): Promise<FetchAnswer[]> => {
      const { connection } = await cluster.leaderConnection(first?.topic ?? '', first?.partition ?? 0, `fetch-${lane}`);
      return fetchRecords(connection, questions, waitMs, answerBytesMax);
    };
    exchange()
      .then(
        (answers) => {
          const byPartition = new Map(answers.map((answer) => [`${answer.topic}/${answer.partition}`, answer]));
          for (const { entry, topic, partition, offset } of questions) {
            give(entry, offset, byPartition.get(`${topic}/${partition}`));
          }
        },
        (error: unknown) => {
          for (const { entry, offset } of questions) retryLater(entry, offset, error);
        },
      )
      .finally(() => {
        used.delete(lane);
        wake();
      });
  }

  function give(entry: Entry, offset: number, answer: FetchAnswer | undefined): void {
    const name = answer === undefined ? 'no answer' : answer.errorCode === 0 ? '' : errorName(answer.errorCode);
    if (answer === undefined || (name !== '' && name !== 'OFFSET_OUT_OF_RANGE')) {
      retryLater(entry, offset, new Error(name));
      return;
    }
    if (entry.asked === offset) entry.asked = null;
    entry.retryDelayMs = retryDelayMinMs;
    if (gone.has(entry)) return;
    entry.target.take(offset, answer);
    const wanted = entry.target.wanted();
    const isAtEnd = wanted === null || wanted >= answer.highWatermark;
    if (isAtEnd && answer.records.length > 0) entry.restUntilMs = clock.monotonicMs() + restMs;
  }

  function retryLater(entry: Entry, offset: number, error: unknown): void {
    const { topic, partition } = entry.target;
    cluster.forgetLeader(topic, partition);
    if (entry.asked === offset) entry.asked = null;
    entry.restUntilMs = clock.monotonicMs() + entry.retryDelayMs;
    entry.retryDelayMs = Math.min(2 * entry.retryDelayMs, retryDelayMaxMs);
    logger.debug({ err: error, topic, partition, offset }, 'a fetch failed and is tried again');
  }

  /** One question tells the leaders of all. */
  function learnLeader(entry: Entry): void {
    if (learning) return;
    learning = true;
    const { topic, partition } = entry.target;
    cluster
      .leaderConnection(topic, partition, 'control')
      .catch((error: unknown) => retryLater(entry, -1, error))
      .finally(() => {
        learning = false;
        wake();
      });
  }

  const gone = new WeakSet<Entry>();
  return {
    add(target) {
      const entry: Entry = {
        target,
        asked: null,
        restUntilMs: Number.NEGATIVE_INFINITY,
        retryDelayMs: retryDelayMinMs,
      };
      entries.add(entry);
      wake();
      return () => {
        gone.add(entry);
        entries.delete(entry);
      };
    },
    wake,
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
      entries.clear();
    },
  };
}
