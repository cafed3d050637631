/**
 * What the raw log says: its partitions' counts and its links, read once to the end as of the start and then further as the
 * views of a running system turn out to be further.
 */
import { partitionOfCode } from './key-partition.js';
import { createLinksOracle } from './links-oracle.js';
import { NotPossible } from './not-possible.js';
import { dayMs } from './visit-counts.js';
import { createVisitsOracle } from './visits-oracle.js';

/** Clocks of instances are believed to differ by less than this. */
const clockDifferenceDays = 1;

/** @typedef {Awaited<ReturnType<typeof loadOracle>>} Oracle */

/**
 * @param {object} source as `openSegmentSource` and `openKafkaSource` give it
 * @param {(partition: number, record: object) => void} takeChangelog
 */
export async function loadOracle(source, takeChangelog = () => {}) {
  const links = createLinksOracle();
  const numbers = Array.from({ length: source.partitions }, (_, partition) => partition);
  const visits = numbers.map(createVisitsOracle);
  const firstDays = numbers.map(() => null);
  let identity = source.logId === undefined ? null : { logId: source.logId };
  const reading = new Map();

  await source.start({
    visits(partition, record) {
      const at = visits[partition].take(record);
      if (at !== undefined) firstDays[partition] ??= Math.floor(at / dayMs);
    },
    links(partition, record) {
      if (identity === null && partition === 0 && record.key === '!log') identity = JSON.parse(record.value);
      links.take(partition, record);
    },
    changelog: takeChangelog,
  });

  /** One read of a partition at a time. */
  function advance(topic, partition, nextOffset) {
    const name = `${topic}/${partition}`;
    const next = (reading.get(name) ?? Promise.resolve()).then(() => source.advance(topic, partition, nextOffset));
    reading.set(
      name,
      next.catch(() => {}),
    );
    return next;
  }

  /** Where each partition of visits begins in the log, and where the counts stand. */
  const positions = [];
  const visitsEnds = source.ends?.('visits') ?? [];
  for (const partition of numbers) {
    // What is behind the end as of the start is kept apart from the beginning.
    if (visitsEnds[partition] !== undefined) visits[partition].freezeAt(visitsEnds[partition]);
    const { startOffset, nextOffset } = await advance('visits', partition, visitsEnds[partition]);
    const frozenAt = visitsEnds[partition] ?? nextOffset;
    visits[partition].freezeAt(frozenAt);
    positions.push({ partition, startOffset, nextOffset: frozenAt, read: nextOffset });
  }
  const linksEnds = source.ends?.('links') ?? [];
  for (const partition of numbers) {
    const { startOffset } = await advance('links', partition, linksEnds[partition]);
    if (startOffset === 0) continue;
    throw new NotPossible(
      `links begin at offset ${startOffset} of partition ${partition}: that topic must be kept for ever. Restore it from a backup.`,
    );
  }
  links.freeze();
  if (identity === null) {
    throw new NotPossible(
      'the log does not say which one it is: partition 0 of links has no record "!log". Has the program run?',
    );
  }

  const partitionOf = (code) => partitionOfCode(code, source.partitions);
  return {
    links,
    logId: identity.logId,
    partitions: source.partitions,
    positions,
    partitionOf,
    visitFigures: () =>
      visits.reduce((sum, { figures }) => {
        for (const [name, value] of Object.entries(figures)) sum[name] = (sum[name] ?? 0) + value;
        return sum;
      }, {}),
    /** Codes that visits of a partition were counted for, whether there is such a link or not. */
    visitedCodes: (partition) => visits[partition].codes(),
    /** The link's numbers with all that was read until now. */
    visitsReadOf: (code) => visits[partitionOf(code)].at(code, Number.POSITIVE_INFINITY),
    /** The link's numbers at the end as of the start. */
    visitsAtEnd(code) {
      const partition = partitionOf(code);
      return visits[partition].at(code, positions[partition].nextOffset);
    },
    /** The link's numbers with everything before `nextOffset`; reads on when that is behind what was read. */
    async visitsAt(code, nextOffset, partition = partitionOf(code)) {
      const position = positions[partition];
      if (nextOffset < position.nextOffset) throw new RangeError('the counts of that position were not kept');
      if (nextOffset > position.read) position.read = (await advance('visits', partition, nextOffset)).nextOffset;
      return visits[partition].at(code, nextOffset);
    },
    /** Whether everything before `nextOffset` is in the log: false for a position that the log does not have. */
    async reaches(partition, nextOffset) {
      const position = positions[partition];
      if (nextOffset > position.read) position.read = (await advance('visits', partition)).nextOffset;
      return nextOffset <= position.read;
    },
    /** Reads the events that came since. */
    readLinksOf: (code) => advance('links', partitionOf(code)),
    /** The first UTC day whose visits are all in the log: 0 unless old ones were dropped. */
    wholeFromDay(partition) {
      if (positions[partition].startOffset === 0) return 0;
      return (firstDays[partition] ?? 0) + 1 + clockDifferenceDays;
    },
  };
}
