/**
 * Reads one partition of the changelog through outages. What a connection has changed under way is asked for again, so that a
 * record that is still invalid is damaged where it lies.
 */
import type { Changelog, ChangelogReader, ChangelogRecord } from '../ports/changelog.ts';
import { type RetryOptions, retryOutages } from './retry.ts';

export interface ChangelogRead {
  /** All of them valid, or a single invalid one. */
  readonly records: readonly ChangelogRecord[];
  readonly nextOffset: number;
}

const damagedReadsMax = 5;

export class ChangelogSource {
  private readonly changelog: Changelog;
  private readonly partition: number;
  private readonly retry: RetryOptions;
  private reader: ChangelogReader;

  private constructor(changelog: Changelog, partition: number, retry: RetryOptions, reader: ChangelogReader) {
    this.changelog = changelog;
    this.partition = partition;
    this.retry = retry;
    this.reader = reader;
  }

  static async open(changelog: Changelog, partition: number, retry: RetryOptions): Promise<ChangelogSource> {
    const reader = await retryOutages(retry, () => changelog.reader(partition));
    return new ChangelogSource(changelog, partition, retry, reader);
  }

  /** As `ChangelogReader.read`, but waits for the end of an outage. Throws `OffsetOutOfRange`, `Interrupted`. */
  async read(nextOffset: number, maxBytes: number): Promise<ChangelogRead> {
    for (let reads = 1; ; reads++) {
      const read = await retryOutages(this.retry, () => this.reader.read(nextOffset, maxBytes));
      const broken = read.records.findIndex((record) => record.invalid !== undefined);
      if (broken < 0) return read;
      // First what is before it: then only the broken one is asked for again.
      if (broken > 0)
        return { records: read.records.slice(0, broken), nextOffset: (read.records[broken] as ChangelogRecord).offset };
      if (reads >= damagedReadsMax) {
        const [record] = read.records as [ChangelogRecord];
        return { records: [record], nextOffset: record.offset + 1 };
      }
      await this.reader.close();
      this.reader = await retryOutages(this.retry, () => this.changelog.reader(this.partition));
    }
  }

  /** As `ChangelogReader.waitFor`. Throws `Interrupted`. */
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
