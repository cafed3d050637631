/**
 * The records of the topic of dead letters: the letters, each under the place of its original, and what a replay has set out to do,
 * under its own id. A key of the second kind begins with a character that no topic's name has.
 */
import type { BatchRecord, RecordToSend } from './record-batch.ts';
import { type TopicRole, topicName } from './topic-names.ts';

/** A dead letter as it is kept. */
export interface KeptDeadLetter {
  /** Where the original stands: `topic:partition:offset`. The letter's key. */
  readonly origin: string;
  readonly topic: TopicRole;
  readonly partition: number;
  readonly offset: number;
  readonly reason: string;
  /** The original's key; null when it was not kept. */
  readonly key: string | null;
  /** Who wrote it: null unless it was whole, and written by a producer of ours. */
  readonly producerId: string | null;
  readonly sequence: number;
  /** Of the original's value, in bytes. */
  readonly length: number;
  /** At most its first {@link valueReadBytesMax} bytes. */
  readonly value: Buffer;
}

/** Which letters a replay brings back, and as what: noted before the first of them is, so that it can be finished by another. */
export interface ReplayPlan {
  /** The producer of the visits as they are replayed. */
  readonly producerId: string;
  readonly createdAtMs: number;
  readonly visits: readonly PlannedVisit[];
}

/** By origin: the partition to write it to, and its place among the visits that the replay writes there. */
export type PlannedVisit = readonly [origin: string, partition: number, sequence: number];

/** More than any visit has; with it, a reader's memory is bounded. */
export const valueReadBytesMax = 4096;
const planKeyPrefix = '!replay/';
const roles: readonly TopicRole[] = ['links', 'visits', 'changelog', 'dead-letters'];

export function encodePlan({ producerId, createdAtMs, visits }: ReplayPlan): RecordToSend {
  return {
    key: planKeyPrefix + producerId,
    value: Buffer.from(JSON.stringify({ createdAtMs, visits }), 'latin1'),
    headers: [],
  };
}

export type DeadLetterRecord =
  | { readonly kind: 'letter'; readonly key: string; readonly letter: KeptDeadLetter }
  | { readonly kind: 'plan'; readonly key: string; readonly plan: ReplayPlan }
  | { readonly kind: 'removal'; readonly key: string };

/** Null for what is none of ours: whoever may write there can write anything. */
export function decodeDeadLetterRecord(record: BatchRecord, topicPrefix: string): DeadLetterRecord | null {
  const key = record.key?.toString('latin1') ?? '';
  if (record.value === null) return { kind: 'removal', key };
  if (key.startsWith(planKeyPrefix)) {
    const plan = parsePlan(key.slice(planKeyPrefix.length), record.value);
    return plan === null ? null : { kind: 'plan', key, plan };
  }
  const letter = decodeLetter(key, record.value, record, topicPrefix);
  return letter === null ? null : { kind: 'letter', key, letter };
}

function decodeLetter(origin: string, value: Buffer, record: BatchRecord, topicPrefix: string): KeptDeadLetter | null {
  const [, name, partition, offset] = /^(.+):(\d{1,6}):(\d{1,16})$/.exec(origin) ?? [];
  const topic = roles.find((role) => topicName(topicPrefix, role) === name);
  const [reason, length] = [record.header('reason'), record.header('length')];
  if (topic === undefined || reason === undefined || length === undefined || !/^\d{1,16}$/.test(length)) return null;
  const [producerId, sequence] = [record.header('p'), record.header('s')];
  return {
    ...{ origin, topic, partition: Number(partition), offset: Number(offset), reason, length: Number(length) },
    key: record.header('key') ?? null,
    producerId: producerId ?? null,
    sequence: Number(sequence ?? 0),
    // A view would keep all of its batch in memory.
    value: Buffer.from(value.subarray(0, valueReadBytesMax)),
  };
}

function parsePlan(producerId: string, value: Buffer): ReplayPlan | null {
  try {
    const { createdAtMs, visits } = JSON.parse(value.toString('latin1')) as Partial<ReplayPlan>;
    if (!isWhole(createdAtMs) || !Array.isArray(visits) || !visits.every(isPlannedVisit)) return null;
    return { producerId, createdAtMs, visits };
  } catch {
    return null;
  }
}

function isPlannedVisit(visit: unknown): visit is PlannedVisit {
  return Array.isArray(visit) && typeof visit[0] === 'string' && isWhole(visit[1]) && isWhole(visit[2]);
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
