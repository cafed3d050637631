/**
 * Names of everything of ours in Redis, and the rights that it takes. All keys of a partition share one hash tag, `{<partition>}`, so that a cluster keeps
 * them in one slot and one function call may use them together.
 */

export interface RedisKeys {
  /** Text: where the partition's rows stand (`position-text.ts`). Without it nothing of the partition is believed. */
  position(partition: number): string;
  /** Sorted set: codes by visits. */
  byVisits(partition: number): string;
  /** Sorted set: codes by time of the last visit, ms. */
  byLastVisit(partition: number): string;
  /** Hash: all statistics rows of one link by row key, and the mark that they are all there. */
  linkRows(partition: number, code: string): string;
  /** The same for a row of no link. */
  ownRow(partition: number, rowKey: string): string;
  /** Text: reservations of a link with `maxVisits`. */
  limit(partition: number, code: string): string;
  /** Hash: the generation of the links kept here, and how often one was put. */
  links(partition: number): string;
  /** Text: a link. */
  link(partition: number, code: string): string;
  /** Text: the salt under which visitors of a UTC day are hashed. */
  salt(day: number): string;
  readonly progressChannel: string;
  readonly linksChannel: string;
}

const allowedPrefix = /^[A-Za-z0-9._-]{0,64}$/;

/** @param prefix stands in front of every key and channel, for several installations on one Redis; no braces, blanks or globs */
export function createRedisKeys(prefix = ''): RedisKeys {
  if (!allowedPrefix.test(prefix)) throw new RangeError(`a prefix of Redis keys must match ${allowedPrefix}`);
  const of = (partition: number, name: string) => `${prefix}tallyhop:{${partition}}:${name}`;
  return {
    position: (partition) => of(partition, 'position'),
    byVisits: (partition) => of(partition, 'by-visits'),
    byLastVisit: (partition) => of(partition, 'by-last-visit'),
    linkRows: (partition, code) => of(partition, `rows:${code}`),
    ownRow: (partition, rowKey) => of(partition, `row:${rowKey}`),
    limit: (partition, code) => of(partition, `limit:${code}`),
    links: (partition) => of(partition, 'links'),
    link: (partition, code) => of(partition, `link:${code}`),
    salt: (day) => of(0, `salt:${day}`),
    progressChannel: `${prefix}tallyhop:progress`,
    linksChannel: `${prefix}tallyhop:links`,
  };
}

/** Commands, those of the functions included: Redis checks them as if the user called them. */
const commands = [
  'fcall',
  'function|load',
  'get',
  'set',
  'del',
  'expire',
  'hmget',
  'hset',
  'hdel',
  'hkeys',
  'hincrby',
  'zadd',
  'zscore',
  'zrange',
  'publish',
  'subscribe',
  'ping',
] as const;

/**
 * The rules of an ACL user who may do what Tallyhop does and no more, without name, state and password.
 * @param prefix as of {@link createRedisKeys}
 */
export function redisRights(prefix = ''): readonly string[] {
  return [
    'resetkeys',
    `~${prefix}tallyhop:*`,
    'resetchannels',
    `&${prefix}tallyhop:*`,
    '-@all',
    ...commands.map((command) => `+${command}`),
  ];
}
