/**
 * What a stream worker runs: a named fold of one source topic into one state store. The worker gives a processor bytes
 * and offsets; only the processor knows what they mean. (Kafka Streams' words: topology, processor, task.)
 */
import type { LogRecord } from '../ports/event-log.ts';
import type { RowCodec, VersionedRows } from './versioned-rows.ts';

export interface Topology {
  /** Names the stores' folders. */
  readonly name: string;
  /** Schema of the rows: a store written under another version is set aside and folded anew. */
  readonly version: number;
  createProcessor(rows: RowFactory): Processor;
}

/** `name@version`: who wrote a row. */
export function topologyId(topology: Topology): string {
  return `${topology.name}@${topology.version}`;
}

/** Gives a processor its rows. Row keys must not begin with `!`: those are the worker's own. */
export interface RowFactory {
  rows<R>(codec: RowCodec<R>): VersionedRows<R>;
  /** How many tasks share this thread's memory, 1 or more: a processor keeps so much less of what it need not keep. */
  tasksInThread(): number;
}

export interface Processor {
  /**
   * Folds one effective record and returns its event time (ms). Must be a function of the rows' previous values and the
   * record alone: no clock, no randomness, no I/O. Throws {@link PoisonRecord} before it has changed anything.
   */
  process(record: LogRecord): number;
  /** Called when a commit has been written: a processor that caches rows may now forget those it has not touched since the last call. */
  committed(): void;
}

/** The record can never be folded: it goes to the dead letters, once, and the stream goes on. */
export class PoisonRecord extends Error {
  override readonly name = 'PoisonRecord';
}
