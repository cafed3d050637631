/**
 * Counts the visits of one partition of the raw log by code of its own. Up to a frozen position it keeps one state a link; of what
 * stands behind it, each visit, so that it can tell a link's numbers at any position from the frozen one on.
 */
import { copyOf, countVisit, noVisits } from './visit-counts.js';
import { parseVisit } from './visit-record.js';
import { createWatermarks } from './watermarks.js';

/** In place of a code: all links of the partition together. */
export const allLinks = '';

const figureOf = { human: 'nonBots', bot: 'bots', prefetch: 'prefetches' };

/** @typedef {ReturnType<typeof createVisitsOracle>} VisitsOracle */

export function createVisitsOracle() {
  /** @type {Map<string, import('./visit-counts.js').VisitCounts>} */
  const links = new Map();
  /** @type {Map<string, { offset: number, at: number, kind: string }[]>} */
  const later = new Map();
  const watermarks = createWatermarks();
  const figures = { records: 0, nonBots: 0, bots: 0, prefetches: 0, repeated: 0, gaps: 0, notCountable: 0 };
  const none = noVisits();
  let streamTimeMs = 0;
  let frozenFrom = Number.POSITIVE_INFINITY;

  /** What becomes of a record: the visit that counts, or null, and the figures that it raises. */
  function judge({ key, value, producerId, sequence, invalid }) {
    if (invalid !== undefined) return { visit: null, figures: ['notCountable'] };
    const verdict = watermarks.judge(producerId, sequence, streamTimeMs);
    if (verdict === 'repeated') return { visit: null, figures: ['repeated'] };
    const visit = verdict === 'not believed' ? verdict : parseVisit(key, value);
    if (typeof visit === 'string') return { visit: null, figures: ['notCountable'] };
    if (visit.at > streamTimeMs) streamTimeMs = visit.at;
    watermarks.raise(producerId, sequence, streamTimeMs);
    const gap = verdict === 'counts after a gap' ? ['gaps'] : [];
    return { visit, figures: [figureOf[visit.kind], ...gap] };
  }

  function count(code, { offset, at, kind }) {
    const counts = links.get(code) ?? noVisits();
    if (counts.version < 0) links.set(code, counts);
    countVisit(counts, offset, at, kind);
  }

  function keep(code, visit) {
    const visits = later.get(code);
    if (visits === undefined) later.set(code, [visit]);
    else visits.push(visit);
  }

  return {
    figures,
    /**
     * Takes the next record and returns its time when it counts.
     * @param {{ offset: number, key: string, value: Buffer, producerId: string, sequence: number, invalid?: string }} record
     */
    take(record) {
      const isLater = record.offset >= frozenFrom;
      const became = judge(record);
      if (!isLater) {
        figures.records++;
        for (const figure of became.figures) figures[figure]++;
      }
      if (became.visit === null) return undefined;
      const visit = { offset: record.offset, ...became.visit };
      for (const code of [record.key, allLinks]) {
        if (isLater) keep(code, visit);
        else count(code, visit);
      }
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
    *codes() {
      for (const code of links.keys()) if (code !== allLinks) yield code;
    },
  };
}
