/** What each topic must be like, and how bad it is when it is not: one table, from which topics are made and by which they are checked. */
import type { TopicRole } from './topic-names.ts';

/** `error`: counts or links could be lost or wrong; refuse to start. `warning`: it works, but not as well. */
export type Severity = 'error' | 'warning';

export interface TopicSetting {
  readonly name: string;
  readonly roles: readonly TopicRole[];
  /** The value that a topic is made with. */
  readonly value: (facts: TopicFacts) => string;
  /** What it may be, in words. */
  readonly mustBe: (facts: TopicFacts) => string;
  /** Null when the value will do. */
  readonly judge: (value: string, facts: TopicFacts) => Severity | null;
}

export interface TopicFacts {
  readonly role: TopicRole;
  readonly replicationFactor: number;
}

const everyRole: readonly TopicRole[] = ['links', 'visits', 'changelog', 'dead-letters'];
const hourMs = 60 * 60_000;
const dayMs = 24 * hourMs;
const mebibyte = 1024 * 1024;
/** The largest send of ours, with what the broker adds. */
const messageBytesMin = 1_048_576;
const visitRetentionMs = 30 * dayMs;
/** Visits that a worker has not folded when they go are lost: an outage must fit in. */
const visitRetentionMinMs = 7 * dayMs;

export const replicationFactorMax = 3;

export function minInsyncReplicas(replicationFactor: number): number {
  return Math.min(2, replicationFactor);
}

function exactly(value: string, severity: Severity = 'error') {
  return {
    value: () => value,
    mustBe: () => value,
    judge: (found: string) => (found === value ? null : severity),
  };
}

function atLeast(value: number, min: number, belowMin: Severity = 'error') {
  return {
    value: () => String(value),
    mustBe: () => (min === value ? `at least ${value}` : `${value}, at least ${min}`),
    judge: (found: string) => {
      if (Number(found) < min) return belowMin;
      return Number(found) < value ? ('warning' as const) : null;
    },
  };
}

/** The order of the values in a list does not matter. */
function policies(...wanted: readonly string[]) {
  const sorted = (list: string): string => list.split(',').sort().join(',');
  return {
    value: () => wanted.join(','),
    mustBe: () => wanted.join(','),
    judge: (found: string) => (sorted(found) === sorted(wanted.join(',')) ? null : ('error' as const)),
  };
}

const topicSettings: readonly TopicSetting[] = [
  // With the clients' times, one clock that runs ahead would make every send fail, and retention would follow that clock.
  { name: 'message.timestamp.type', roles: everyRole, ...exactly('LogAppendTime') },
  { name: 'unclean.leader.election.enable', roles: everyRole, ...exactly('false') },
  {
    name: 'min.insync.replicas',
    roles: everyRole,
    value: ({ replicationFactor }) => String(minInsyncReplicas(replicationFactor)),
    mustBe: ({ replicationFactor }) =>
      replicationFactor <= 2 ? String(replicationFactor) : `2 to ${replicationFactor - 1}`,
    judge: (found, { replicationFactor }) => {
      const count = Number(found);
      if (count > replicationFactor || count < minInsyncReplicas(replicationFactor)) return 'error';
      return count === replicationFactor && replicationFactor > 2 ? 'warning' : null;
    },
  },
  {
    name: 'compression.type',
    roles: everyRole,
    value: () => 'producer',
    mustBe: () => 'producer, uncompressed or gzip',
    judge: (found) => (['producer', 'uncompressed', 'gzip'].includes(found) ? null : 'error'),
  },
  {
    name: 'max.message.bytes',
    roles: ['links', 'visits', 'dead-letters'],
    ...atLeast(messageBytesMin, messageBytesMin),
  },
  { name: 'max.message.bytes', roles: ['changelog'], ...atLeast(8 * mebibyte, messageBytesMin) },
  { name: 'cleanup.policy', roles: ['links', 'visits'], ...policies('delete') },
  { name: 'cleanup.policy', roles: ['changelog'], ...policies('compact') },
  { name: 'cleanup.policy', roles: ['dead-letters'], ...policies('compact', 'delete') },
  { name: 'retention.ms', roles: ['links'], ...exactly('-1') },
  { name: 'retention.bytes', roles: ['links', 'visits'], ...exactly('-1') },
  {
    name: 'retention.ms',
    roles: ['visits'],
    value: () => String(visitRetentionMs),
    mustBe: () => `${visitRetentionMs} (30 days) or more, or -1; at least ${visitRetentionMinMs}`,
    judge: (found) => {
      if (Number(found) === -1 || Number(found) >= visitRetentionMs) return null;
      return Number(found) < visitRetentionMinMs ? 'error' : 'warning';
    },
  },
  { name: 'retention.ms', roles: ['dead-letters'], ...atLeast(90 * dayMs, 0, 'warning') },
  // A stale owner's value must not outlive a newer one that compaction dropped meanwhile.
  { name: 'min.compaction.lag.ms', roles: ['changelog'], ...atLeast(6 * hourMs, 6 * hourMs) },
  { name: 'delete.retention.ms', roles: ['changelog'], ...atLeast(7 * dayMs, 7 * dayMs) },
  {
    name: 'segment.ms',
    roles: ['changelog'],
    value: () => String(hourMs),
    mustBe: () => `at most ${hourMs}`,
    // What stands in the segment that is written is never compacted.
    judge: (found) => (Number(found) > hourMs ? 'warning' : null),
  },
  {
    name: 'segment.bytes',
    roles: ['changelog'],
    value: () => String(64 * mebibyte),
    mustBe: () => `at most ${64 * mebibyte}`,
    judge: (found) => (Number(found) > 64 * mebibyte ? 'warning' : null),
  },
];

export function settingsOf(role: TopicRole): readonly TopicSetting[] {
  return topicSettings.filter(({ roles }) => roles.includes(role));
}
