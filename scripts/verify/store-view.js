/**
 * The stores of instances, active ones and standbys, read row by row as the instances read each other's.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { callInstance, instanceKey } from './instance-call.js';
import { compareMissing, compareRow } from './row-comparison.js';

const rowsPerRead = 5_000;
const pauseMs = 200;
/** Keys that begin with `!` are the worker's own. */
const allRows = { gte: '"', lt: '~' };

export async function compareInstanceStores({ oracle, report, clients, secret, timeoutMs }) {
  const key = instanceKey(secret);
  const owned = new Set();
  for (const client of clients) {
    const view = report.view('stores', client.url);
    const { topology, tasks } = await callInstance(client, key, '/internal/v1/positions', {});
    for (const { partition, role } of tasks) {
      if (role === 'active') owned.add(partition);
      await compareStore({ oracle, view, client, key, topology, partition, timeoutMs });
    }
  }
  for (const { partition } of oracle.positions) {
    if (!owned.has(partition))
      report.note(`the store of partition ${partition} is on none of the instances that were given`);
  }
}

async function compareStore({ oracle, view, client, key, topology, partition, timeoutMs }) {
  const seen = new Set();
  const deadline = performance.now() + timeoutMs;
  for (let range = { ...allRows, limit: rowsPerRead }; ; ) {
    const question = { topology, standbyWillDo: true, partition, keys: [], range };
    const answer = await callInstance(client, key, '/internal/v1/stores/read', question);
    // It moved to another instance meanwhile, where it is compared if that was given.
    if (answer === null) return;
    const nextOffset = Number(answer.nextOffset);
    if (nextOffset < oracle.positions[partition].nextOffset) {
      if (performance.now() > deadline) {
        view.compared();
        view.drift({
          key: `partition ${partition}`,
          what: 'position',
          expected: oracle.positions[partition].nextOffset,
          found: nextOffset,
        });
        return;
      }
      await delay(pauseMs);
      continue;
    }
    for (const [rowKey, value] of answer.entries) {
      seen.add(rowKey);
      await compareRow(oracle, view, {
        key: rowKey,
        payload: Buffer.from(value, 'base64'),
        version: null,
        partition,
        nextOffset,
      });
    }
    if (answer.entries.length < rowsPerRead) break;
    range = { gt: answer.entries.at(-1)[0], lt: allRows.lt, limit: rowsPerRead };
  }
  compareMissing(oracle, view, partition, oracle.visitedCodes(partition), (rowKey) => seen.has(rowKey));
}
