/**
 * The stores of instances, active ones and standbys, read row by row as the instances read each other's: POST requests signed under
 * a key that is derived from the code secret.
 */
import { createHmac, hkdfSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { NotPossible } from './not-possible.js';
import { compareMissing, compareRow } from './row-comparison.js';

const keyPurpose = 'tallyhop calls between instances';
const rowsPerRead = 5_000;
const pauseMs = 200;
/** Keys that begin with `!` are the worker's own. */
const allRows = { gte: '"', lt: '~' };

export async function compareInstanceStores({ oracle, report, clients, secret, timeoutMs }) {
  const key = Buffer.from(hkdfSync('sha256', secret, '', keyPurpose, 32));
  const owned = new Set();
  for (const client of clients) {
    const view = report.view('stores', client.url);
    const { topology, tasks } = await call(client, key, '/internal/v1/positions', {});
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
    const answer = await call(client, key, '/internal/v1/stores/read', question);
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

/** The answer's JSON; null when the task is not there. */
async function call(client, key, path, question) {
  const body = Buffer.from(JSON.stringify(question));
  const time = String(Date.now());
  const signature = createHmac('sha256', key).update(`POST\n${path}\n${time}\n`).update(body).digest('hex');
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    Authorization: `Tallyhop-HMAC-SHA256 ${time}:${signature}`,
  };
  const { status, bytes } = await client.ask('POST', path, { headers, body });
  if (status === 200) return JSON.parse(bytes.toString());
  if (status === 421) return null;
  const why =
    status === 401 || status === 403
      ? 'Set CODE_SECRET as the instances have it, and see that clocks agree.'
      : bytes.toString();
  throw new NotPossible(`${client.url}${path} answers ${status}. ${why}`);
}
