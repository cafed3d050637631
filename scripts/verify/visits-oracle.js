/**
 * Counts the visits of one partition of the raw log by code of its own. Up to a frozen position it keeps one state a link; of what
 * stands behind it, each visit, so that it can tell a link's numbers at any position from the frozen one on.
 */
import { copyOf, countVisit, noVisits } from './visit-counts.js';
import { parseVisit } from './visit-record.js';
import { createWatermarks } from './watermarks.js';

/** @typedef {ReturnType<typeof createVisitsOracle>} VisitsOracle */

export function createVisitsOracle() {
  /** @type {Map<string, import('./visit-counts.js').VisitCounts>} */
  const links = new Map();
  /** @type {Map<string, { offset: number, at: number, kind: string }[]>} */
  const later = new Map();
  const watermarks = createWatermarks();
  const figures = { records: 0, counted: 0, nonBots: 0, bots: 0, prefetches: 0, repeated: 0, gaps: 0, notCountable: 0 };
  const none = noVisits();
  let streamTimeMs = 0;
  let frozenFrom = Number.POSITIVE_INFINITY;

  return {
    figures,
    /**
     * Takes the next record and returns its time when it counts.
     * @param {{ offset: number, key: string, value: Buffer, producerId: string, sequence: number, invalid?: string }} record
     */
    take(record) {
      const frozen = record.offset >= frozenFrom;
      const note = frozen ? () => {} : (figure) => figures[figure]++;
      note('records');
      const refuse = (figure) => {
        note(figure);
        return undefined;
      };
      if (record.invalid !== undefined) return refuse('notCountable');
      const verdict = watermarks.judge(record.producerId, record.sequence, streamTimeMs);
      if (verdict === 'repeated') return refuse('repeated');
      const visit = verdict === 'not believed' ? verdict : parseVisit(record.key, record.value);
      if (typeof visit === 'string') return refuse('notCountable');
      if (verdict === 'counts after a gap') note('gaps');
      if (visit.at > streamTimeMs) streamTimeMs = visit.at;
      watermarks.raise(record.producerId, record.sequence, streamTimeMs);
      note('counted');
      note({ human: 'nonBots', bot: 'bots', prefetch: 'prefetches' }[visit.kind]);
      if (frozen) {
        const visits = later.get(record.key);
        const kept = { offset: record.offset, ...visit };
        if (visits === undefined) later.set(record.key, [kept]);
        else visits.push(kept);
        return visit.at;
      }
      let counts = links.get(record.key);
      if (counts === undefined) {
        counts = noVisits();
        links.set(record.key, counts);
      }
      countVisit(counts, record.offset, visit.at, visit.kind);
      return visit.at;
    },
    /** Visits from this offset on are kept singly. */
    freezeAt(nextOffset) {
      frozenFrom = nextOffset;
    },
    /** The link's numbers with every record before `nextOffset`, which is not less than the frozen position. Not to be changed. */
    at(code, nextOffset) {
      const counts = links.get(code) ?? none;
      const visits = later.get(code);
      if (visits === undefined || visits[0].offset >= nextOffset) return counts;
      const further = copyOf(counts);
      for (const { offset, at, kind } of visits) if (offset < nextOffset) countVisit(further, offset, at, kind);
      return further;
    },
    /** Codes with visits at the frozen position. */
    codes: () => links.keys(),
  };
}
