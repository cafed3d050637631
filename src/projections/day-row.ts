/**
 * One UTC day of one link: quarter hours, top values of each dimension and the sketch of its visitors. Bounded: at most 96
 * quarter hours, `capacities` values a dimension and one sketch, whatever the visits say.
 */
import { type Breakdown, type DayStatistics, type Dimension, dimensions } from '../domain/statistics.ts';
import type { Visit } from '../domain/visit.ts';
import {
  createVisitorSketch,
  decodeVisitorSketch,
  type VisitorSketch,
  visitorSketchBytesMax,
} from '../domain/visitor-sketch.ts';
import { RowMalformed, RowReader, varintBytesMax, writeVarint } from '../serde/varint.ts';
import type { RowCodec } from '../worker/versioned-rows.ts';
import { dimensionOf, NameTable } from './name-table.ts';

const quarterMs = 15 * 60_000;
const quartersADay = 96;
export const dayMs = 24 * 60 * 60_000;

/** Values kept apart in each dimension, a link and day. */
export const capacities: Readonly<Record<Dimension, number>> = {
  referrers: 64,
  countries: 64,
  browsers: 24,
  os: 16,
  devices: 8,
  languages: 32,
  sources: 4,
  campaigns: 48,
  crawlers: 24,
};

/** Position of each dimension in a row: the order of `dimensions`, which must only ever grow at its end. */
const at = Object.fromEntries(dimensions.map((name, index) => [name, index])) as Record<Dimension, number>;
const capacityAt = dimensions.map((name) => capacities[name]);

export interface DayRow {
  /** Triples of quarter (0 to 95), human visits, bots; ascending by quarter. */
  quarters: number[];
  prefetches: number;
  /** Milliseconds since the day began, plus one; 0 = no visit yet. */
  firstVisit: number;
  lastVisit: number;
  /** Values of all dimensions in the order in which they came, by their ids in `names`, and how often each was counted. */
  ids: number[];
  counts: number[];
  /** By position of the dimension: visits whose value was not kept apart. Made when first needed. */
  others: number[] | undefined;
  visitors: VisitorSketch | undefined;
  readonly names: NameTable;
}

/** Counts a visit of this row's day. */
export function countInDay(row: DayRow, visit: Visit): void {
  if (visit.class === 'prefetch') {
    row.prefetches++;
    return;
  }
  const msOfDay = visit.at % dayMs;
  countInQuarter(row, Math.floor(msOfDay / quarterMs), visit.class === 'bot');
  if (row.firstVisit === 0 || msOfDay + 1 < row.firstVisit) row.firstVisit = msOfDay + 1;
  if (msOfDay + 1 > row.lastVisit) row.lastVisit = msOfDay + 1;
  if (visit.class === 'bot') {
    count(row, at.crawlers, visit.crawler);
    return;
  }
  if (row.ids.length === 0) countFirst(row, visit);
  else countNext(row, visit);
  row.visitors ??= createVisitorSketch();
  row.visitors.add(visit.visitor);
}

/**
 * Most rows hold a single visit, and tens of thousands of them are in memory. So rows share what is alike in many of them, and get
 * arrays of their own with what makes them differ: these are never written to.
 */
const noNumbers: number[] = [];
/** The counts of a row with a single human visit. */
const onceEach = [1, 1, 1, 1, 1, 1, 1, 1];
/** The quarters of a row with a single visit, by quarter: of a human, and of a bot. */
const oneHuman = Array.from({ length: quartersADay }, (_, quarter) => [quarter, 1, 0]);
const oneBot = Array.from({ length: quartersADay }, (_, quarter) => [quarter, 0, 1]);

/** Made at once, the array has just the size that it needs. */
function countFirst(row: DayRow, visit: Visit): void {
  const { names } = row;
  row.ids = [
    names.idOf(at.referrers, visit.referrer),
    names.idOf(at.countries, visit.country),
    names.idOf(at.browsers, visit.browser),
    names.idOf(at.os, visit.os),
    names.idOf(at.devices, visit.device),
    names.idOf(at.languages, visit.language),
    names.idOf(at.sources, visit.source),
    names.idOf(at.campaigns, campaignOf(visit)),
  ];
  row.counts = onceEach;
}

function countNext(row: DayRow, visit: Visit): void {
  count(row, at.referrers, visit.referrer);
  count(row, at.countries, visit.country);
  count(row, at.browsers, visit.browser);
  count(row, at.os, visit.os);
  count(row, at.devices, visit.device);
  count(row, at.languages, visit.language);
  count(row, at.sources, visit.source);
  count(row, at.campaigns, campaignOf(visit));
}

/**
 * Counts one more of a value. When its dimension is full, the value takes the place of the rarest one, whose count goes to
 * `others`: so the sum is always exact, a value that comes at least twice in a while stays, and a stream of made-up values
 * only pushes out other made-up ones. (The replacement rule of Space-Saving, Metwally et al. 2005, without its overestimate:
 * counts here are lower bounds, and `others` is the rest.)
 */
function count(row: DayRow, position: number, name: string): void {
  if (row.counts === onceEach) row.counts = onceEach.slice();
  else if (row.ids === noNumbers) {
    row.ids = [];
    row.counts = [];
  }
  const { ids, counts } = row;
  const id = row.names.idOf(position, name);
  // The values of a row's first visit stand in the order of their dimensions.
  const index = ids[position] === id ? position : ids.indexOf(id);
  if (index >= 0) {
    counts[index] = (counts[index] as number) + 1;
    return;
  }
  let kept = 0;
  let rarest = -1;
  for (let i = 0; i < ids.length; i++) {
    if (dimensionOf(ids[i] as number) !== position) continue;
    kept++;
    if (rarest < 0 || (counts[i] as number) < (counts[rarest] as number)) rarest = i;
  }
  if (kept < (capacityAt[position] as number)) {
    ids.push(id);
    counts.push(1);
    return;
  }
  row.others ??= dimensions.map(() => 0);
  row.others[position] = (row.others[position] as number) + (counts[rarest] as number);
  ids[rarest] = id;
  counts[rarest] = 1;
}

/** Visits come nearly in order of time, so the quarter looked for is nearly always the last. */
function countInQuarter(row: DayRow, quarter: number, isBot: boolean): void {
  if (row.quarters.length === 0) {
    row.quarters = (isBot ? oneBot : oneHuman)[quarter] as number[];
    return;
  }
  if (isShared(row.quarters)) row.quarters = row.quarters.slice();
  const { quarters } = row;
  let position = quarters.length - 3;
  while (position >= 0 && (quarters[position] as number) > quarter) position -= 3;
  if (position < 0 || quarters[position] !== quarter) {
    position += 3;
    if (position === quarters.length) quarters.push(quarter, 0, 0);
    else quarters.splice(position, 0, quarter, 0, 0);
  }
  const counter = position + (isBot ? 2 : 1);
  quarters[counter] = (quarters[counter] as number) + 1;
}

function isShared(quarters: number[]): boolean {
  const quarter = quarters[0] as number;
  return quarters === oneHuman[quarter] || quarters === oneBot[quarter];
}

/** UTM values as one name: campaign, source and medium, as far as they were given. */
function campaignOf(visit: Visit): string {
  if (visit.utmCampaign === '' && visit.utmSource === '' && visit.utmMedium === '') return '';
  return [visit.utmCampaign, visit.utmSource, visit.utmMedium].filter((part) => part !== '').join(' / ');
}

/** Upper bound of one name in UTF-8: three UTM values of 60 code points, and what joins them. */
const nameBytesMax = 3 * 60 * 4 + 6;

/** `names` gives the table for rows made or read from now on: a full one is replaced, and lives on in the rows that use it. */
export function createDayRowCodec(names: () => NameTable): RowCodec<DayRow> {
  return {
    create: () => ({
      quarters: noNumbers,
      prefetches: 0,
      firstVisit: 0,
      lastVisit: 0,
      ids: noNumbers,
      counts: noNumbers,
      others: undefined,
      visitors: undefined,
      names: names(),
    }),
    decode: (bytes) => decodeDayRow(bytes, names()),
    maxEncodedBytes(row) {
      const numbers = 6 + row.quarters.length + 3 * row.ids.length + dimensions.length;
      return numbers * varintBytesMax + row.ids.length * nameBytesMax + visitorSketchBytesMax;
    },
    encode: encodeDayRow,
  };
}

function encodeDayRow(row: DayRow, target: Buffer, start: number): number {
  const { ids, counts, quarters, others, visitors } = row;
  let position = writeVarint(target, row.prefetches, start);
  position = writeVarint(target, row.firstVisit, position);
  position = writeVarint(target, row.lastVisit, position);
  position = writeVarint(target, quarters.length / 3, position);
  for (let i = 0; i < quarters.length; i++) position = writeVarint(target, quarters[i] as number, position);
  position = writeVarint(target, ids.length, position);
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i] as number;
    const name = row.names.bytesOf(id);
    target[position++] = dimensionOf(id);
    position = writeVarint(target, name.length, position);
    target.set(name, position);
    position = writeVarint(target, counts[i] as number, position + name.length);
  }
  position = writeVarint(target, others?.length ?? 0, position);
  if (others !== undefined) for (const other of others) position = writeVarint(target, other, position);
  position = writeVarint(target, visitors?.encodedLength() ?? 0, position);
  return visitors === undefined ? position : visitors.encodeInto(target, position);
}

function decodeDayRow(bytes: Buffer, names: NameTable): DayRow {
  const reader = new RowReader(bytes);
  const prefetches = reader.varint();
  const firstVisit = reader.varint();
  const lastVisit = reader.varint();
  const quarters: number[] = [];
  for (let left = reader.varint() * 3; left > 0; left--) quarters.push(reader.varint());
  const ids: number[] = [];
  const counts: number[] = [];
  for (let left = reader.varint(); left > 0; left--) {
    const dimension = reader.varint();
    if (dimension >= dimensions.length) throw new RowMalformed(`there is no dimension ${dimension}`);
    ids.push(names.idOf(dimension, reader.text()));
    counts.push(reader.varint());
  }
  let others: number[] | undefined;
  const othersLength = reader.varint();
  if (othersLength > 0) {
    others = dimensions.map(() => 0);
    for (let i = 0; i < othersLength; i++) others[i] = reader.varint();
  }
  const sketchBytes = reader.varint();
  const sketchAt = reader.skip(sketchBytes);
  reader.end();
  const visitors = sketchBytes === 0 ? undefined : decodeVisitorSketch(bytes, sketchAt, sketchBytes);
  return { quarters, prefetches, firstVisit, lastVisit, ids, counts, others, visitors, names };
}

/** The row of UTC day `day` as it is read. */
export function dayStatisticsOf(day: number, bytes: Buffer): DayStatistics {
  const row = decodeDayRow(bytes, new NameTable());
  const quarters = [];
  for (let i = 0; i < row.quarters.length; i += 3) {
    const [quarter, nonBots, bots] = row.quarters.slice(i, i + 3) as [number, number, number];
    quarters.push({ quarter, nonBots, bots });
  }
  const values = dimensions.map((): (readonly [string, number])[] => []);
  row.ids.forEach((id, index) => {
    values[dimensionOf(id)]?.push([row.names.nameOf(id), row.counts[index] as number]);
  });
  const breakdowns: Partial<Record<Dimension, Breakdown>> = {};
  dimensions.forEach((dimension, position) => {
    breakdowns[dimension] = { values: values[position] ?? [], other: row.others?.[position] ?? 0 };
  });
  return {
    day,
    quarters,
    prefetches: row.prefetches,
    firstVisitAt: row.firstVisit === 0 ? null : day * dayMs + row.firstVisit - 1,
    lastVisitAt: row.lastVisit === 0 ? null : day * dayMs + row.lastVisit - 1,
    uniqueVisitors: row.visitors?.estimate() ?? 0,
    breakdowns: breakdowns as Record<Dimension, Breakdown>,
  };
}
