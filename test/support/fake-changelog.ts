/** A changelog of one partition in memory, whose troubles a test decides. Appends are readable at once. */
import {
  type Changelog,
  type ChangelogEntry,
  type ChangelogRecord,
  ChangelogUnavailable,
} from '../../src/ports/changelog.ts';
import { OffsetOutOfRange } from '../../src/ports/event-log.ts';

export interface FakeChangelog extends Changelog {
  readonly records: ChangelogRecord[];
  /** While set, appends fail; `applied` says whether they stand in the log all the same. */
  outage: { readonly applied: boolean } | null;
  /** How many of the next reads find their first record changed. */
  brokenReads: number;
  /** Writes as somebody else would; returns the offset of the first. */
  put(entries: readonly ChangelogEntry[], epoch: number, send: number, appendedAtMs?: number): number;
  /** Leaves of each kind and key the last record. */
  compact(): void;
}

export function createFakeChangelog(): FakeChangelog {
  let endOffset = 0;
  const waiting = new Set<() => void>();
  const changelog: FakeChangelog = {
    records: [],
    outage: null,
    brokenReads: 0,
    put(entries, epoch, send, appendedAtMs) {
      const baseOffset = endOffset;
      for (const entry of entries) {
        const at = appendedAtMs === undefined ? {} : { appendedAtMs };
        changelog.records.push({ ...entry, offset: endOffset++, epoch, send, ...at });
      }
      for (const wake of [...waiting]) wake();
      return baseOffset;
    },
    compact() {
      const newest = new Map(changelog.records.map(({ kind, key, offset }) => [kind + key, offset]));
      const kept = changelog.records.filter(({ kind, key, offset }) => newest.get(kind + key) === offset);
      changelog.records.splice(0, changelog.records.length, ...kept);
    },
    async append(_partition, entries, epoch, send) {
      if (changelog.outage === null) return changelog.put(entries, epoch, send);
      if (changelog.outage.applied) changelog.put(entries, epoch, send);
      throw new ChangelogUnavailable('no answer');
    },
    async reader() {
      return {
        async read(nextOffset) {
          if (nextOffset > endOffset) throw new OffsetOutOfRange(nextOffset, 0, endOffset);
          const records = changelog.records.filter(({ offset }) => offset >= nextOffset);
          const [first] = records;
          if (first !== undefined && changelog.brokenReads > 0) {
            changelog.brokenReads--;
            records[0] = { ...first, invalid: 'checksum' };
          }
          return { records, nextOffset: endOffset };
        },
        waitFor(nextOffset) {
          if (endOffset > nextOffset) return Promise.resolve();
          return new Promise((resolve) => {
            const wake = (): void => {
              waiting.delete(wake);
              resolve();
            };
            waiting.add(wake);
          });
        },
        endOffset: () => endOffset,
        startOffset: () => 0,
        close: () => Promise.resolve(),
      };
    },
    endOffset: async () => endOffset,
    close: () => Promise.resolve(),
  };
  return changelog;
}
