/** The numbers of one link as counted from its visits: all-time, and for each UTC day by quarter hour. */
export const quarterMs = 15 * 60_000;
export const dayMs = 96 * quarterMs;

/**
 * @typedef {{ day: number, quarters: number[], prefetches: number, first: number | null, last: number | null, version: number }} DayCounts
 *   `quarters`: triples of quarter (0 to 95), nonBots, bots, ascending; `version`: offset of the last record in it.
 * @typedef {{ nonBots: number, bots: number, prefetches: number, first: number | null, last: number | null, version: number,
 *   days: DayCounts[] }} VisitCounts
 */

/** @returns {VisitCounts} */
export function noVisits() {
  return { nonBots: 0, bots: 0, prefetches: 0, first: null, last: null, version: -1, days: [] };
}

/** @param {VisitCounts} counts @returns {VisitCounts} */
export function copyOf(counts) {
  return { ...counts, days: counts.days.map((day) => ({ ...day, quarters: [...day.quarters] })) };
}

/** @param {VisitCounts} counts */
export function countVisit(counts, offset, at, kind) {
  const day = dayOf(counts, Math.floor(at / dayMs));
  counts.version = offset;
  day.version = offset;
  if (kind === 'prefetch') {
    counts.prefetches++;
    day.prefetches++;
    return;
  }
  if (kind === 'bot') counts.bots++;
  else counts.nonBots++;
  for (const each of [counts, day]) {
    if (each.first === null || at < each.first) each.first = at;
    if (each.last === null || at > each.last) each.last = at;
  }
  const quarter = Math.floor((at % dayMs) / quarterMs);
  const { quarters } = day;
  let place = quarters.length;
  while (place > 0 && quarters[place - 3] >= quarter) place -= 3;
  if (quarters[place] !== quarter) quarters.splice(place, 0, quarter, 0, 0);
  quarters[place + (kind === 'bot' ? 2 : 1)]++;
}

/** The day's numbers, made when there are none yet. Visits come nearly in the order of time. */
function dayOf(counts, day) {
  const { days } = counts;
  let place = days.length;
  while (place > 0 && days[place - 1].day >= day) place--;
  if (days[place]?.day !== day) {
    days.splice(place, 0, { day, quarters: [], prefetches: 0, first: null, last: null, version: -1 });
  }
  return days[place];
}

/** What was counted in `fromMs <= t < toMs`, both at whole quarter hours. @param {VisitCounts} counts */
export function countsBetween(counts, fromMs, toMs) {
  const sum = { nonBots: 0, bots: 0 };
  for (const { day, quarters } of counts.days) {
    if ((day + 1) * dayMs <= fromMs || day * dayMs >= toMs) continue;
    for (let i = 0; i < quarters.length; i += 3) {
      const at = day * dayMs + quarters[i] * quarterMs;
      if (at < fromMs || at >= toMs) continue;
      sum.nonBots += quarters[i + 1];
      sum.bots += quarters[i + 2];
    }
  }
  return sum;
}
