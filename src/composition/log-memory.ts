/** What an instance remembers of the shared log, so that it can start and redirect while Kafka is away: `log.json` in its folder. */
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface RememberedLog {
  readonly logId: string;
  readonly partitions: number;
}

const fileName = 'log.json';

/** Undefined when nothing is remembered, or what there is cannot be read: then Kafka must be there. */
export function readRememberedLog(dataDir: string): RememberedLog | undefined {
  try {
    const { logId, partitions } = JSON.parse(readFileSync(join(dataDir, fileName), 'utf8')) as Partial<RememberedLog>;
    if (typeof logId !== 'string' || !Number.isSafeInteger(partitions)) return undefined;
    return { logId, partitions: partitions as number };
  } catch {
    return undefined;
  }
}

export function rememberLog(dataDir: string, { logId, partitions }: RememberedLog): void {
  const file = join(dataDir, fileName);
  writeFileSync(`${file}.new`, `${JSON.stringify({ logId, partitions })}\n`);
  renameSync(`${file}.new`, file);
}

/** A folder belongs to the mode that made it. */
export class DataFolderRefused extends Error {
  override readonly name = 'DataFolderRefused';
}

/** Throws {@link DataFolderRefused} when the folder holds a log of its own, as that of the mode without services does. */
export function refuseEmbeddedFolder(dataDir: string): void {
  if (!existsSync(join(dataDir, 'log', 'log.id'))) return;
  throw new DataFolderRefused(
    `${dataDir} holds links of a single process. Give each of many instances an empty DATA_DIR; links are brought over by creating them again with their aliases`,
  );
}

/** The reverse: throws {@link DataFolderRefused} when the folder is that of one among many instances. */
export function refuseDistributedFolder(dataDir: string): void {
  if (!existsSync(join(dataDir, fileName))) return;
  throw new DataFolderRefused(
    `${dataDir} is that of one among many instances: set the addresses of Kafka and Redis, or another DATA_DIR`,
  );
}
