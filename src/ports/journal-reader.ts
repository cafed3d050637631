/** Reads one partition of an instance's journal in offset order, to bring its visits to the shared log. */
import type { LogReader } from './event-log.ts';

export interface JournalReader extends LogReader {
  /** When the first record of the last read that gave any was journaled, in ms since the Unix epoch; null before that. */
  readAppendedAtMs(): number | null;
}
