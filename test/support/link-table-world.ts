/** A link table over a log and a store in memory, with the means to write link events and to restart the table. */
import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import type { LinkEvent, LinkFact } from '../../src/domain/link.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import { type OpenLinkTable, openLinkTable } from '../../src/projections/link-table.ts';
import { encodeLinkEvent } from '../../src/serde/link-event.ts';
import { createFakeEventLog, type FakeEventLog } from './fake-event-log.ts';
import { createQuietLogger, type QuietLogger } from './quiet-logger.ts';

export const dayMs = 24 * 60 * 60 * 1000;
export const startMs = Date.UTC(2026, 0, 1);

export interface EventToWrite {
  readonly commandId?: string;
  readonly expectedVersion: number;
  readonly at?: number;
}

export interface LinkTableWorld {
  readonly log: FakeEventLog;
  readonly logger: QuietLogger;
  readonly setAside: readonly string[];
  table(): OpenLinkTable;
  /** Appends an event and resolves with its offset when the table has folded it. */
  write(code: string, fact: LinkFact, envelope: EventToWrite): Promise<number>;
  append(event: LinkEvent): Promise<{ readonly partition: number; readonly offset: number }>;
  create(code: string, settings?: Partial<LinkFact & { type: 'LinkCreated' }>, at?: number): Promise<number>;
  /** Closes the table and opens another one on the same store and log. */
  restart(): Promise<void>;
  /** As after `kill -9`: opens another table on the rows that were committed up to some moment before. */
  restartFrom(store: StateStore): Promise<void>;
  rowsNow(): Promise<StateStore>;
  close(): Promise<void>;
}

export async function openLinkTableWorld(
  options: { readonly partitions?: number; readonly log?: FakeEventLog; readonly load?: boolean } = {},
): Promise<LinkTableWorld> {
  const log = options.log ?? createFakeEventLog(options.partitions ?? 1);
  const logger = createQuietLogger();
  const setAside: string[] = [];
  let store = createMemoryStateStore();
  let written = 0;

  async function opened(): Promise<OpenLinkTable> {
    const table = await openLinkTable({
      openStore: async () => withoutClose(store),
      setStoreAside: async (reason) => {
        setAside.push(reason);
        store = createMemoryStateStore();
      },
      log,
      logger,
      clock: { nowMs: () => startMs, monotonicMs: () => 0 },
    });
    if (options.load !== false) await table.load();
    return table;
  }

  let table = await opened();

  async function append(event: LinkEvent): Promise<{ partition: number; offset: number }> {
    const partition = log.partitionOf(event.code);
    const offset = await log.append('links', partition, [{ key: event.code, value: encodeLinkEvent(event) }]);
    return { partition, offset };
  }

  const world: LinkTableWorld = {
    log,
    logger,
    setAside,
    table: () => table,
    append,
    async write(code, fact, { commandId, expectedVersion, at }) {
      written += 1;
      const { partition, offset } = await append({
        id: `event-${written}`,
        code,
        at: at ?? startMs + written,
        by: 'anonymous',
        commandId: commandId ?? `command-${written}`,
        expectedVersion,
        ...fact,
      });
      await table.applied(partition, offset);
      return offset;
    },
    create: (code, settings = {}, at) =>
      world.write(code, created(settings), { expectedVersion: 0, ...(at === undefined ? {} : { at }) }),
    async restart() {
      await table.close();
      table = await opened();
    },
    async restartFrom(rows) {
      await table.close();
      store = rows;
      table = await opened();
    },
    async rowsNow() {
      const copy = createMemoryStateStore();
      const batch = copy.batch();
      for (const [key, value] of await store.range({ limit: 100_000 })) batch.put(key, value);
      await batch.write();
      return copy;
    },
    close: () => table.close(),
  };
  return world;
}

export function created(settings: Partial<LinkFact & { type: 'LinkCreated' }> = {}): LinkFact {
  return {
    type: 'LinkCreated',
    kind: 'own',
    url: 'https://example.com/',
    expiresAt: null,
    maxVisits: null,
    tags: [],
    note: null,
    ...settings,
  };
}

/** The rows outlive the table, as files do. */
function withoutClose(store: StateStore): StateStore {
  return { ...store, close: async () => undefined };
}
