/** The names of the topics and of the group, in one place. */
import type { Topic } from '../../ports/event-log.ts';

export type TopicRole = Topic | 'changelog' | 'dead-letters';

const names: Readonly<Record<TopicRole, string>> = {
  links: 'tallyhop.links.v1',
  visits: 'tallyhop.visits.v1',
  changelog: 'tallyhop-g1-changelog',
  'dead-letters': 'tallyhop.dead-letters.v1',
};

export function topicName(topicPrefix: string, role: TopicRole): string {
  return topicPrefix + names[role];
}

/** The group whose members share out the partitions of `visits`. */
export function groupName(topicPrefix: string): string {
  return `${topicPrefix}tallyhop-g1`;
}
