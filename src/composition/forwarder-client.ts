/**
 * The main thread's side of the forwarder's thread: starts it, again when it dies, tells the journal what may be dropped, and
 * knows how much is not yet forwarded.
 */
import { Worker } from 'node:worker_threads';
import type { OpenVisitJournal } from '../adapters/segments/open-visit-journal.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { ForwardStatus } from '../worker/forwarder.ts';
import type { ForwarderThreadData, FromForwarderThread, ToForwarderThread } from './forwarder-messages.ts';
import { LagMarks } from './lag-marks.ts';
import { receivedFields } from './sending-logger.ts';

export interface ForwarderClientOptions<ShipperOptions> {
  /** The journal's folder. */
  readonly folder: string;
  readonly journal: Pick<
    OpenVisitJournal,
    'journalId' | 'shared' | 'forwardFrom' | 'forwarded' | 'endOffset' | 'figures'
  >;
  /** What the thread makes its shipper with: structured-clone values only. */
  readonly shipper: ShipperOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /**
   * Asked again and again until it says yes, and nothing is sent before: for a shared log that was not reached yet, and may prove
   * to be another one. Default: yes.
   */
  readonly mayStart?: () => boolean;
  /** Default: `forwarder-thread`, which ships to Kafka. */
  readonly startThread?: (data: ForwarderThreadData<ShipperOptions>) => Worker;
  /** How long {@link ForwarderClient.close} waits for what is under way. Default 2,000. */
  readonly closeTimeoutMs?: number;
  /** How long after its death the thread is started again; doubled at each death in a row. */
  readonly restartDelayMs?: { readonly first: number; readonly max: number };
}

export interface ForwarderClient {
  /** All visits of the partition before it are in the shared log. */
  forwardedOffset(partition: number): number;
  /** Calls `listener` when offsets have risen. Returns how to stop that. */
  onForwarded(listener: () => void): () => void;
  figures(): ForwarderFigures;
  /** Resolves with true when all that the journal has written is forwarded (flush it first), with false after `timeoutMs` when it is not. */
  drain(timeoutMs: number): Promise<boolean>;
  /** Ends the thread. What is not forwarded stays in the journal; a batch under way may be sent again at the next start. */
  close(): Promise<void>;
}

export interface PartitionBacklog {
  readonly partition: number;
  readonly forwardedOffset: number;
  /** Journaled and not yet forwarded. */
  readonly visits: number;
  /** About so many bytes of the disk. */
  readonly bytes: number;
  /** At most so old is the oldest of them, ms; 0 when there is none. */
  readonly oldestAgeMs: number;
  /** Why the partition is not forwarded any more, or null. */
  readonly halted: string | null;
}

export interface ForwarderFigures {
  readonly partitions: readonly PartitionBacklog[];
  readonly visits: number;
  readonly bytes: number;
  readonly oldestAgeMs: number;
  /** Visits since the start; `resent` are those of repeated attempts. */
  readonly shipped: number;
  readonly resent: number;
  /** Visits since the start that were too old to be forwarded. */
  readonly setAside: number;
  /** Why visits are not forwarded now: a halted partition, a thread that died, the last attempt's failure. Null when they are. */
  readonly lastError: string | null;
}

const lagNoteIntervalMs = 50;
const mayStartPollMs = 100;

export function startForwarderThread<ShipperOptions>(options: ForwarderClientOptions<ShipperOptions>): ForwarderClient {
  const { journal, clock, logger, startThread = startKafkaThread } = options;
  const { closeTimeoutMs = 2_000, restartDelayMs = { first: 1_000, max: 30_000 } } = options;
  const forwardedOffsets = [...journal.forwardFrom];
  const statuses: (ForwardStatus | undefined)[] = forwardedOffsets.map(() => undefined);
  const lags = forwardedOffsets.map(() => new LagMarks());
  const listeners = new Set<() => void>();
  /** What threads that died had counted. */
  const before = { shipped: 0, resent: 0 };
  let thread: Worker | null = null;
  /** Why there is no thread, until a new one has told how it stands. */
  let absence: string | null = null;
  let delayMs = restartDelayMs.first;
  let starting: NodeJS.Timeout | undefined;
  let closing: Promise<void> | null = null;

  const noteLags = setInterval(() => {
    const nowMs = clock.monotonicMs();
    for (const [partition, lag] of lags.entries()) {
      lag.note(journal.endOffset(partition), nowMs);
      // Forgets what is forwarded, so that nobody has to ask for the age to keep it true.
      lag.lagMs(forwardedOffsets[partition] ?? 0, nowMs);
    }
  }, lagNoteIntervalMs).unref();

  function startWhenAllowed(): void {
    if (options.mayStart?.() ?? true) {
      start();
      return;
    }
    absence ??= 'the shared log was not reached since the start';
    starting = setTimeout(startWhenAllowed, mayStartPollMs);
  }

  function start(): void {
    const { journalId, shared } = journal;
    const data = { folder: options.folder, journalId, shared, fromOffsets: [...forwardedOffsets] };
    const started = startThread({ ...data, shipper: options.shipper });
    thread = started;
    let cause = new Error('it ended by itself');
    started.on('message', receive);
    started.on('error', (error: Error) => {
      cause = error;
    });
    started.on('exit', () => {
      thread = null;
      if (closing !== null) return;
      absence = `the thread that forwards visits died: ${cause.message}`;
      for (const status of statuses) {
        before.shipped += status?.shipped ?? 0;
        before.resent += status?.resent ?? 0;
      }
      statuses.fill(undefined);
      logger.error({ err: cause, delayMs }, 'the thread that forwards visits died and is started again');
      starting = setTimeout(startWhenAllowed, delayMs);
      delayMs = Math.min(2 * delayMs, restartDelayMs.max);
    });
  }

  function receive(message: FromForwarderThread): void {
    if (message.type === 'log') {
      logger[message.level](receivedFields(message.fields), message.message);
      return;
    }
    absence = null;
    let hasRisen = false;
    for (const status of message.statuses) {
      const { partition, forwardedOffset } = status;
      statuses[partition] = status;
      if (forwardedOffset <= (forwardedOffsets[partition] ?? 0)) continue;
      forwardedOffsets[partition] = forwardedOffset;
      journal.forwarded(partition, forwardedOffset);
      hasRisen = true;
    }
    if (!hasRisen) return;
    delayMs = restartDelayMs.first;
    for (const listener of [...listeners]) listener();
  }

  const isDrained = (): boolean =>
    forwardedOffsets.every((offset, partition) => offset >= journal.endOffset(partition));

  function backlogOf(partition: number, bytesPerVisit: number, nowMs: number): PartitionBacklog {
    const forwardedOffset = forwardedOffsets[partition] ?? 0;
    const endOffset = journal.endOffset(partition);
    const lag = lags[partition] as LagMarks;
    lag.note(endOffset, nowMs);
    const visits = Math.max(0, endOffset - forwardedOffset);
    const { oldestAtMs = null, halted = null } = statuses[partition] ?? {};
    // What an earlier process left is older than anything that was seen to come.
    const ageMs = oldestAtMs === null ? 0 : clock.nowMs() - oldestAtMs;
    return {
      partition,
      forwardedOffset,
      visits,
      bytes: Math.round(visits * bytesPerVisit),
      oldestAgeMs: visits === 0 ? 0 : Math.max(lag.lagMs(forwardedOffset, nowMs), ageMs),
      halted,
    };
  }

  async function close(): Promise<void> {
    clearInterval(noteLags);
    clearTimeout(starting);
    const ending = thread;
    if (ending === null) return;
    const exited = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
    const timer = setTimeout(() => void ending.terminate(), closeTimeoutMs);
    ending.postMessage({ type: 'stop' } satisfies ToForwarderThread);
    await exited;
    clearTimeout(timer);
  }

  startWhenAllowed();
  return {
    forwardedOffset: (partition) => forwardedOffsets[partition] ?? 0,
    onForwarded(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    figures() {
      const nowMs = clock.monotonicMs();
      const { bytesPerVisit, setAsideVisits } = journal.figures();
      const partitions = bytesPerVisit.map((bytes, partition) => backlogOf(partition, bytes, nowMs));
      const sum = (each: (partition: PartitionBacklog) => number): number =>
        partitions.reduce((total, partition) => total + each(partition), 0);
      const halted = partitions.find((partition) => partition.halted !== null)?.halted ?? null;
      const failure = statuses.find((status) => status !== undefined && status.lastError !== null)?.lastError ?? null;
      return {
        partitions,
        visits: sum(({ visits }) => visits),
        bytes: sum(({ bytes }) => bytes),
        oldestAgeMs: Math.max(...partitions.map(({ oldestAgeMs }) => oldestAgeMs)),
        shipped: statuses.reduce((total, status) => total + (status?.shipped ?? 0), before.shipped),
        resent: statuses.reduce((total, status) => total + (status?.resent ?? 0), before.resent),
        setAside: setAsideVisits,
        lastError: halted ?? absence ?? failure,
      };
    },
    drain(timeoutMs) {
      if (isDrained()) return Promise.resolve(true);
      return new Promise((resolve) => {
        const end = (): void => {
          clearTimeout(timer);
          listeners.delete(look);
          resolve(isDrained());
        };
        const look = (): void => {
          if (isDrained()) end();
        };
        const timer = setTimeout(end, timeoutMs);
        listeners.add(look);
      });
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
}

function startKafkaThread(workerData: unknown): Worker {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./forwarder-thread.${extension}`, import.meta.url), { workerData });
}
