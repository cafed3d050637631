/**
 * The changelog against the raw log. Of each row the value of the highest version counts, whoever wrote it and when; the newest
 * checkpoint of a partition says up to which offset all rows are in it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { compareMissing, compareRow } from './row-comparison.js';
import { payloadOf, versionOf } from './stored-rows.js';

const topologyPattern = /^visit-statistics@/;
const pauseMs = 200;

export function createChangelogFold(partitions) {
  const folds = Array.from({ length: partitions }, () => ({
    /** @type {Map<string, { version: number, bytes: Buffer, isLast: boolean }>} */
    rows: new Map(),
    checkpoint: 0,
    unsound: 0,
  }));

  function take(partition, { kind, key, value, isSound }) {
    const fold = folds[partition];
    if (!isSound) {
      fold.unsound++;
    } else if (kind === 'checkpoint' && topologyPattern.test(key)) {
      fold.checkpoint = Math.max(fold.checkpoint, JSON.parse(value.toString()).nextOffset);
    } else if (kind === 'row') {
      const version = versionOf(value);
      const before = fold.rows.get(key);
      // A record is a view of a whole fetch: only a copy lets go of that.
      if (before === undefined || version >= before.version)
        fold.rows.set(key, { version, bytes: Buffer.from(value), isLast: true });
      else before.isLast = false;
    }
  }

  async function compare({ oracle, report, source, timeoutMs }) {
    const view = report.view('changelog', source.name);
    const deadline = performance.now() + timeoutMs;
    for (const [partition, fold] of folds.entries()) {
      const end = oracle.positions[partition].nextOffset;
      for (;;) {
        await source.advance('changelog', partition);
        if (fold.checkpoint >= end || performance.now() > deadline) break;
        await delay(pauseMs);
      }
      if (fold.checkpoint < end) {
        view.compared();
        view.drift({ key: `partition ${partition}`, what: 'checkpoint', expected: end, found: fold.checkpoint });
        continue;
      }
      const nextOffset = fold.checkpoint;
      // While it is compared it grows.
      for (const [key, { version, bytes }] of [...fold.rows]) {
        await compareRow(oracle, view, { key, payload: payloadOf(bytes), version, partition, nextOffset });
      }
      compareMissing(oracle, view, partition, oracle.visitedCodes(partition), (key) => fold.rows.has(key));
    }
    const unsound = folds.reduce((sum, fold) => sum + fold.unsound, 0);
    const stale = folds.reduce((sum, { rows }) => sum + [...rows.values()].filter(({ isLast }) => !isLast).length, 0);
    if (unsound > 0) report.note(`${unsound} records of the changelog are not what was written`);
    if (stale > 0)
      report.note(`${stale} rows of the changelog stand before an older value of theirs, which their owner must outdo`);
  }

  return { take, compare };
}
