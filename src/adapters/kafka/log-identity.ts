/**
 * Who a log is: the first record of partition 0 of `links` that bears the key `!log`. Whoever opens an empty log writes one;
 * when several do at once, the first in offset order wins, so that all see the same.
 */
import type { LogReader } from '../../ports/event-log.ts';

export const identityKey = '!log';

export interface LogIdentity {
  readonly logId: string;
  readonly partitions: number;
  /** Of the code secret under which links of this log get their codes. */
  readonly secretFingerprint: string;
  /** ISO 8601. */
  readonly createdAt: string;
}

/** What is found instead of the log that was expected. Stop the start, or, while running, everything that uses the log. */
export class LogRefused extends Error {
  override readonly name = 'LogRefused';
  readonly reason: 'other-log' | 'other-secret' | 'other-partitions' | 'no-identity';
  constructor(reason: LogRefused['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}

/** Only a stranger's records can stand before the identity: it is written before anything else of ours. */
const searchRecordsMax = 1_000;
const readBytes = 64 * 1024;

/**
 * The log's identity, written when it has none. `appendIdentity` appends it to partition 0 of `links`; it may then stand there
 * twice. Throws {@link LogRefused} when there are records but no identity among the first of them.
 */
export async function findIdentity(
  reader: LogReader,
  endOffset: () => Promise<number>,
  create: () => LogIdentity,
  appendIdentity: (identity: LogIdentity) => Promise<unknown>,
): Promise<LogIdentity> {
  const end = await endOffset();
  const found = await search(reader, end);
  if (found !== undefined) return found;
  if (end >= searchRecordsMax || reader.startOffset() > 0) {
    throw new LogRefused(
      'no-identity',
      'partition 0 of links has records, but does not begin as a log of this program',
    );
  }
  await appendIdentity(create());
  const own = await search(reader, await endOffset());
  if (own === undefined) throw new LogRefused('no-identity', 'what was written to partition 0 of links is not there');
  return own;
}

async function search(reader: LogReader, endOffset: number): Promise<LogIdentity | undefined> {
  let next = reader.startOffset();
  while (next < Math.min(endOffset, searchRecordsMax)) {
    const records = await reader.read(next, readBytes);
    if (records.length === 0) return undefined;
    for (const record of records) {
      if (record.invalid === undefined && record.key === identityKey) {
        const identity = parseIdentity(record.value);
        if (identity !== undefined) return identity;
      }
      next = record.offset + 1;
    }
  }
  return undefined;
}

function parseIdentity(value: Buffer): LogIdentity | undefined {
  try {
    const { logId, partitions, secretFingerprint, createdAt } = JSON.parse(value.toString()) as Record<string, unknown>;
    const isWhole =
      typeof logId === 'string' &&
      logId !== '' &&
      typeof partitions === 'number' &&
      Number.isInteger(partitions) &&
      typeof secretFingerprint === 'string' &&
      typeof createdAt === 'string';
    return isWhole ? { logId, partitions, secretFingerprint, createdAt } : undefined;
  } catch {
    return undefined;
  }
}
