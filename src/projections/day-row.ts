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
import { RowReader, varintBytesMax, writeVarint } from '../serde/varint.ts';
import type { RowCodec } from '../worker/topology.ts';
import { NameTable } from './name-table.ts';
import { countValue, createTopValues, type TopValues } from './top-values.ts';

const quarterMs = 15 * 60_000;
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
  readonly quarters: number[];
  prefetches: number;
  /** Milliseconds since the day began, plus one; 0 = no visit yet. */
  firstVisit: number;
  lastVisit: number;
  /** By position of the dimension; made when first needed. */
  readonly values: (TopValues | undefined)[];
  visitors: VisitorSketch | undefined;
  /** What the ids in `values` mean. */
  readonly names: NameTable;
}

/** Counts a visit of this row's day. */
export function countInDay(row: DayRow, visit: Visit): void {
  if (visit.class === 'prefetch') {
    row.prefetches++;
    return;
  }
  const msOfDay = visit.at % dayMs;
  countInQuarter(row.quarters, Math.floor(msOfDay / quarterMs), visit.class === 'bot');
  if (row.firstVisit === 0 || msOfDay + 1 < row.firstVisit) row.firstVisit = msOfDay + 1;
  if (msOfDay + 1 > row.lastVisit) row.lastVisit = msOfDay + 1;
  if (visit.class === 'bot') {
    count(row, at.crawlers, visit.crawler);
    return;
  }
  count(row, at.referrers, visit.referrer);
  count(row, at.countries, visit.country);
  count(row, at.browsers, visit.browser);
  count(row, at.os, visit.os);
  count(row, at.devices, visit.device);
  count(row, at.languages, visit.language);
  count(row, at.sources, visit.source);
  count(row, at.campaigns, campaignOf(visit));
  row.visitors ??= createVisitorSketch();
  row.visitors.add(visit.visitor);
}

function count(row: DayRow, position: number, name: string): void {
  let values = row.values[position];
  if (values === undefined) {
    values = createTopValues();
    row.values[position] = values;
  }
  countValue(values, row.names.idOf(name), capacityAt[position] as number);
}

/** Visits come nearly in order of time, so the quarter looked for is nearly always the last. */
function countInQuarter(quarters: number[], quarter: number, isBot: boolean): void {
  let position = quarters.length - 3;
  while (position >= 0 && (quarters[position] as number) > quarter) position -= 3;
  if (position < 0 || quarters[position] !== quarter) {
    position += 3;
    quarters.splice(position, 0, quarter, 0, 0);
  }
  const counter = position + (isBot ? 2 : 1);
  quarters[counter] = (quarters[counter] as number) + 1;
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
      quarters: [],
      prefetches: 0,
      firstVisit: 0,
      lastVisit: 0,
      values: new Array<TopValues | undefined>(dimensions.length).fill(undefined),
      visitors: undefined,
      names: names(),
    }),
    decode: (bytes) => decodeDayRow(bytes, names()),
    maxEncodedBytes(row) {
      let entries = 0;
      for (const values of row.values) entries += values === undefined ? 0 : values.ids.length;
      const numbers = 4 + row.quarters.length + 2 * dimensions.length + 2 * entries + 1;
      return numbers * varintBytesMax + entries * nameBytesMax + visitorSketchBytesMax;
    },
    encode: encodeDayRow,
  };
}

function encodeDayRow(row: DayRow, target: Buffer, start: number): number {
  let position = writeVarint(target, row.prefetches, start);
  position = writeVarint(target, row.firstVisit, position);
  position = writeVarint(target, row.lastVisit, position);
  position = writeVarint(target, row.quarters.length / 3, position);
  for (const number of row.quarters) position = writeVarint(target, number, position);
  for (const values of row.values) {
    if (values === undefined) {
      target[position++] = 0;
      target[position++] = 0;
      continue;
    }
    const { ids, counts } = values;
    position = writeVarint(target, ids.length, position);
    position = writeVarint(target, values.other, position);
    for (let i = 0; i < ids.length; i++) {
      const name = row.names.bytesOf(ids[i] as number);
      position = writeVarint(target, name.length, position);
      position += name.copy(target, position);
      position = writeVarint(target, counts[i] as number, position);
    }
  }
  if (row.visitors === undefined) {
    target[position++] = 0;
    return position;
  }
  position = writeVarint(target, row.visitors.encodedLength(), position);
  return row.visitors.encodeInto(target, position);
}

function decodeDayRow(bytes: Buffer, names: NameTable): DayRow {
  const reader = new RowReader(bytes);
  const prefetches = reader.varint();
  const firstVisit = reader.varint();
  const lastVisit = reader.varint();
  const quarters: number[] = [];
  for (let left = reader.varint() * 3; left > 0; left--) quarters.push(reader.varint());
  const values: (TopValues | undefined)[] = [];
  for (let position = 0; position < dimensions.length; position++) {
    const entries = reader.varint();
    const top = createTopValues();
    top.other = reader.varint();
    for (let i = 0; i < entries; i++) {
      top.ids.push(names.idOf(reader.text()));
      top.counts.push(reader.varint());
    }
    values.push(entries === 0 && top.other === 0 ? undefined : top);
  }
  const sketchBytes = reader.varint();
  const sketchAt = reader.skip(sketchBytes);
  reader.end();
  const visitors = sketchBytes === 0 ? undefined : decodeVisitorSketch(bytes, sketchAt, sketchBytes);
  return { quarters, prefetches, firstVisit, lastVisit, values, visitors, names };
}

/** The row of UTC day `day` as it is read. */
export function dayStatisticsOf(day: number, bytes: Buffer): DayStatistics {
  const names = new NameTable();
  const row = decodeDayRow(bytes, names);
  const quarters = [];
  for (let i = 0; i < row.quarters.length; i += 3) {
    const [quarter, nonBots, bots] = row.quarters.slice(i, i + 3) as [number, number, number];
    quarters.push({ quarter, nonBots, bots });
  }
  const breakdowns = Object.fromEntries(
    dimensions.map((dimension, position) => [dimension, breakdownOf(row.values[position], names)]),
  ) as Record<Dimension, Breakdown>;
  return {
    day,
    quarters,
    prefetches: row.prefetches,
    firstVisitAt: row.firstVisit === 0 ? null : day * dayMs + row.firstVisit - 1,
    lastVisitAt: row.lastVisit === 0 ? null : day * dayMs + row.lastVisit - 1,
    uniqueVisitors: row.visitors?.estimate() ?? 0,
    breakdowns,
  };
}

function breakdownOf(values: TopValues | undefined, names: NameTable): Breakdown {
  if (values === undefined) return { values: [], other: 0 };
  return {
    values: values.ids.map((id, index) => [names.nameOf(id), values.counts[index] as number] as const),
    other: values.other,
  };
}
