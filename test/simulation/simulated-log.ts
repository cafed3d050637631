/** The visits of one partition: what producers wrote, some of it twice, and readers in processes. */
import { type LogReader, type LogRecord, LogUnavailable, OffsetOutOfRange } from '../../src/ports/event-log.ts';
import type { Oracle } from './oracle.ts';
import type { SimulatedProcess } from './simulated-process.ts';

export class SimulatedLog {
  readonly records: LogRecord[] = [];
  isDown = false;
  private readonly oracle: Oracle;
  private readonly waiting = new Set<() => void>();

  constructor(oracle: Oracle) {
    this.oracle = oracle;
  }

  append(record: Omit<LogRecord, 'offset'>): void {
    const appended = { ...record, offset: this.records.length };
    this.records.push(appended);
    this.oracle.take(appended);
    for (const wake of [...this.waiting]) wake();
  }

  openReader(process: SimulatedProcess): Promise<LogReader> {
    return process.call(20, () => {
      this.assertUp();
      return this.readerIn(process);
    });
  }

  private readerIn(process: SimulatedProcess): LogReader {
    const { records } = this;
    return {
      read: (nextOffset) =>
        process.call(10, () => {
          this.assertUp();
          if (nextOffset > records.length) throw new OffsetOutOfRange(nextOffset, 0, records.length);
          return records.slice(nextOffset, nextOffset + process.scheduler.between(1, 12));
        }),
      waitFor: (nextOffset, timeoutMs) => {
        if (records.length > nextOffset) return process.call(2, () => undefined);
        return new Promise((resolve) => {
          const wake = (): void => {
            this.waiting.delete(wake);
            cancel();
            process.hear(1, resolve);
          };
          const cancel = process.hear(timeoutMs, () => {
            this.waiting.delete(wake);
            resolve();
          });
          this.waiting.add(wake);
        });
      },
      endOffset: () => records.length,
      startOffset: () => 0,
      close: () => Promise.resolve(),
    };
  }

  private assertUp(): void {
    if (this.isDown) throw new LogUnavailable('the log is away');
  }
}
