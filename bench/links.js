/** Many links at once: their creations are appended to a log that no program has open, as the program would have. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openSegmentLog } from '../dist/adapters/segments/open-segment-log.js';
import { systemClock } from '../dist/adapters/system/system-clock.js';
import { systemRandom } from '../dist/adapters/system/system-random.js';
import { encodeLinkEvent } from '../dist/serde/link-event.js';
import { targetOf } from './load.js';

const eventsPerFrame = 1_000;
const spanMs = 30 * 86_400_000;

/** Opens the log in a folder of data, as the embedded mode does. */
export async function openLog(dataDir, visitFsync = 'interval') {
  const folder = join(dataDir, 'log');
  mkdirSync(folder, { recursive: true });
  const settings = { folder, partitions: 1, visitFsync, clock: systemClock, random: systemRandom, logger };
  return openSegmentLog(settings);
}

/** Writes the creations of links 0 to `count - 1` into the log of a folder of data. Returns their codes. */
export async function writeLinks(dataDir, count) {
  const codes = Array.from({ length: count }, (_, i) => codeOf(i));
  const { log } = await openLog(dataDir);
  const atOf = evenlyUntil(systemClock.nowMs(), count);
  for (let from = 0; from < count; from += eventsPerFrame) {
    const events = codes
      .slice(from, from + eventsPerFrame)
      .map((code, i) => creationOf(code, from + i, atOf(from + i)));
    await log.append('links', 0, events);
  }
  await log.close();
  return codes;
}

/** When each of `count` links was made: evenly over the 30 days that end at `endMs`, as the visits of the load are. */
export function evenlyUntil(endMs, count) {
  return (i) => endMs - Math.ceil(((count - i) * spanMs) / count);
}

export function creationOf(code, i, at) {
  const settings = { url: targetOf(i), expiresAt: null, maxVisits: null, tags: [], note: null };
  const envelope = { id: systemRandom.id(), at, by: 'anonymous', commandId: systemRandom.id() };
  const event = { ...envelope, type: 'LinkCreated', kind: 'own', code, expectedVersion: 0, ...settings };
  return { key: code, value: encodeLinkEvent(event) };
}

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const codeSpace = 62 ** 7;

/** Seven characters in no order, each code once: the multiplier has no divisor in common with the number of codes. */
export function codeOf(i) {
  let rest = Number((BigInt(i + 1) * 1_327_217_885_423n) % BigInt(codeSpace));
  let code = '';
  for (let digit = 0; digit < 7; digit++) {
    code = base62.charAt(rest % 62) + code;
    rest = Math.floor(rest / 62);
  }
  return code;
}

export const logger = {
  debug() {},
  info() {},
  warn: (fields, message) => console.error(message, fields),
  error: (fields, message) => console.error(message, fields),
  child: () => logger,
};
