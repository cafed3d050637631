/**
 * The journal of one of many instances, and the thread that forwards it: a visit is in the journal before its redirect is
 * answered, and in the shared log a moment later, or when Kafka is back.
 */
import { join } from 'node:path';
import {
  type OpenVisitJournal,
  openVisitJournal,
  type VisitJournalOptions,
} from '../adapters/segments/open-visit-journal.ts';
import { LogUnavailable } from '../ports/event-log.ts';
import { type ForwarderClient, startForwarderThread } from './forwarder-client.ts';
import type { KafkaAddress } from './group-worker-messages.ts';

/** A stop leaves what is not forwarded by then in the journal, for the next start. */
const lastForwardMaxMs = 3_000;

export interface InstanceJournal {
  readonly visits: OpenVisitJournal;
  readonly forwarder: ForwarderClient;
  /**
   * Resolves when every visit that was journaled in the partition before this call is in the shared log. Throws `LogUnavailable`
   * when that takes longer than `timeoutMs`.
   */
  forwarded(partition: number, timeoutMs: number): Promise<void>;
  /** Forwards what there is, for a moment, and closes both. */
  close(): Promise<void>;
}

export interface InstanceJournalOptions extends Omit<VisitJournalOptions, 'folder'> {
  readonly dataDir: string;
  readonly kafka: KafkaAddress;
  /** Nothing is sent before. */
  readonly mayStart: () => boolean;
}

export function journalFolder(dataDir: string): string {
  return join(dataDir, 'journal');
}

/** Throws `LogDamaged`, and an error when the journal holds visits for another log. */
export async function openInstanceJournal(options: InstanceJournalOptions): Promise<InstanceJournal> {
  const { clock, logger, kafka, mayStart } = options;
  const folder = journalFolder(options.dataDir);
  const visits = await openVisitJournal({ ...options, folder });
  const forwarder = startForwarderThread<KafkaAddress>({
    ...{ folder, journal: visits, shipper: kafka, clock, logger, mayStart },
  });

  function reached(offset: number, partition: number, timeoutMs: number): Promise<void> {
    if (forwarder.forwardedOffset(partition) >= offset) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        end();
        reject(new LogUnavailable('visits of this instance are not in the log yet'));
      }, timeoutMs);
      const end = forwarder.onForwarded(() => {
        if (forwarder.forwardedOffset(partition) < offset) return;
        clearTimeout(timer);
        end();
        resolve();
      });
    });
  }

  return {
    visits,
    forwarder,
    async forwarded(partition, timeoutMs) {
      await visits.journal.flush();
      await reached(visits.endOffset(partition), partition, timeoutMs);
    },
    async close() {
      const drained = await forwarder.drain(lastForwardMaxMs);
      if (!drained)
        logger.warn({ visits: forwarder.figures().visits }, 'visits stay in the journal for the next start');
      await forwarder.close();
      await visits.close();
    },
  };
}
