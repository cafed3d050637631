/**
 * Runs a topology without a log or a thread, as Kafka Streams' TopologyTestDriver does: records go in, rows come out. A crash
 * loses what was not committed; a reopened driver goes on from the store.
 */
import type { LogRecord } from '../../src/ports/event-log.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import { Task, type TaskOptions } from '../../src/worker/task.ts';
import type { Topology } from '../../src/worker/topology.ts';

export interface DriverOptions {
  readonly topology: Topology;
  readonly store: StateStore;
  readonly logEndOffset?: number;
  readonly producerSilenceMs?: number;
  readonly tasksInThread?: TaskOptions['tasksInThread'];
  readonly shared?: TaskOptions['shared'];
}

export function openTask(options: DriverOptions): Promise<Task> {
  return Task.open({
    topology: options.topology,
    partition: 0,
    logId: 'test-log',
    store: options.store,
    logEndOffset: options.logEndOffset ?? Number.MAX_SAFE_INTEGER,
    producerSilenceMs: options.producerSilenceMs ?? 35 * 24 * 60 * 60_000,
    ...(options.tasksInThread === undefined ? {} : { tasksInThread: options.tasksInThread }),
    ...(options.shared === undefined ? {} : { shared: options.shared }),
  });
}

/** A log in memory, as one producer or several wrote it. */
export class TestLog {
  readonly records: LogRecord[] = [];
  private readonly sequences = new Map<string, number>();

  append(key: string, value: string | Uint8Array, producerId = 'p1', sequence?: number): LogRecord {
    const next = sequence ?? this.sequences.get(producerId) ?? 0;
    this.sequences.set(producerId, Math.max(next + 1, this.sequences.get(producerId) ?? 0));
    const record = { offset: this.records.length, key, value: Buffer.from(value), producerId, sequence: next };
    this.records.push(record);
    return record;
  }

  /** Writes an earlier record again, under the identity it had: what a resend after a lost answer does. */
  appendAgain(offset: number): void {
    const record = this.records[offset];
    if (record === undefined) throw new Error(`no record at ${offset}`);
    this.records.push({ ...record, offset: this.records.length });
  }

  from(offset: number, count = Number.MAX_SAFE_INTEGER): readonly LogRecord[] {
    return this.records.slice(offset, offset + count);
  }
}

/** Every row of a store as hex, the worker's own rows left out unless asked for. */
export async function rowsOf(store: StateStore, includeOwn = false): Promise<Map<string, string>> {
  const rows = new Map<string, string>();
  let after = '';
  for (;;) {
    const entries = await store.range({ gt: after, limit: 1_000 });
    for (const [key, value] of entries) {
      if (includeOwn || !key.startsWith('!')) rows.set(key, Buffer.from(value).toString('hex'));
    }
    if (entries.length < 1_000) return rows;
    after = entries[entries.length - 1]?.[0] ?? after;
  }
}
