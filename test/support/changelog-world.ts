/** What tests of the worker's changelog share: rows, checkpoints and barriers as records, and a way to open a replica. */
import { createMemoryStateStore } from '../../src/adapters/memory/memory-state-store.ts';
import type { ChangelogEntry } from '../../src/ports/changelog.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import { encodeBarrier, encodeChangelogCheckpoint } from '../../src/worker/changelog-checkpoint.ts';
import { noCounts } from '../../src/worker/checkpoint.ts';
import { Interrupt } from '../../src/worker/interrupt.ts';
import type { Watermark } from '../../src/worker/producer-watermarks.ts';
import { Replica } from '../../src/worker/replica.ts';
import type { RetryOptions } from '../../src/worker/retry.ts';
import { versionOf } from '../../src/worker/versioned-rows.ts';
import { createFakeChangelog } from './fake-changelog.ts';
import { createManualTimer } from './manual-timer.ts';

export const identity = { logId: 'log-1', topology: 'tallies@1', partition: 0 };
export const replicaPolicy = { readBytes: 1_000, waitMs: 250, staleTrustMs: 1_000 };
export const retryPolicy = { retryFirstMs: 10, retryMaxMs: 100 };

export function rowValue(version: number, text: string): Buffer {
  const value = Buffer.alloc(8 + text.length);
  value.writeUInt32BE(version, 4);
  value.write(text, 8);
  return value;
}

export function aRow(key: string, version: number, text = `${key}@${version}`): ChangelogEntry {
  return { kind: 'row', key, value: rowValue(version, text) };
}

export function aCheckpoint(
  standsAt: number,
  nextOffset: number,
  watermarks: Readonly<Record<string, Watermark>> = {},
): ChangelogEntry {
  const kept = new Map(Object.entries(watermarks));
  const checkpoint = {
    ...identity,
    standsAt,
    nextOffset,
    streamTimeMs: nextOffset,
    counts: noCounts,
    watermarks: kept,
  };
  return { kind: 'checkpoint', key: identity.topology, value: encodeChangelogCheckpoint(checkpoint) };
}

export function aBarrier(key: string, logId = identity.logId): ChangelogEntry {
  return { kind: 'barrier', key, value: encodeBarrier({ ...identity, logId, instanceId: key }) };
}

/** One partition's changelog, a store, time, and replicas of them. */
export function createChangelogWorld(store: StateStore = createMemoryStateStore()) {
  const changelog = createFakeChangelog();
  const timer = createManualTimer();
  const interrupt = new Interrupt();
  const retry: RetryOptions = { timer, interrupt, policy: retryPolicy };
  return {
    changelog,
    store,
    timer,
    retry,
    openReplica: () => Replica.open({ identity, store, changelog, clock: timer, retry, policy: replicaPolicy }),
    /** A replica that has read everything, closed again. */
    async replicate(): Promise<Replica> {
      const replica = await this.openReplica();
      await replica.catchUp(await changelog.endOffset(0));
      await replica.close();
      return replica;
    },
    /** `key@version` of each row in the store. */
    async rows(): Promise<string[]> {
      const entries = await store.range({ gte: '"', limit: 1_000 });
      return entries.map(([key, value]) => `${key}@${versionOf(value)}`);
    },
  };
}
