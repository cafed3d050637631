/** A reader of the log that waits for the end of an outage instead of telling of it: the task behind it need not be given up. */
import type { LogReader, LogRecord } from '../ports/event-log.ts';
import { type RetryOptions, retryOutages } from './retry.ts';

/** Opens and reads through outages. Throws `Interrupted` when that is asked for, and what is no outage. */
export class PatientLogReader implements LogReader {
  private readonly reader: LogReader;
  private readonly retry: RetryOptions;

  private constructor(reader: LogReader, retry: RetryOptions) {
    this.reader = reader;
    this.retry = retry;
  }

  static async open(openReader: () => Promise<LogReader>, retry: RetryOptions): Promise<PatientLogReader> {
    return new PatientLogReader(await retryOutages(retry, openReader), retry);
  }

  read(nextOffset: number, maxBytes: number): Promise<readonly LogRecord[]> {
    return retryOutages(this.retry, () => this.reader.read(nextOffset, maxBytes));
  }

  waitFor(nextOffset: number, timeoutMs: number): Promise<void> {
    return this.retry.interrupt.outcomeOf(this.reader.waitFor(nextOffset, timeoutMs));
  }

  endOffset(): number {
    return this.reader.endOffset();
  }

  startOffset(): number {
    return this.reader.startOffset();
  }

  close(): Promise<void> {
    return this.reader.close();
  }
}
