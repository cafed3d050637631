/**
 * The simulation must be able to fail: each rule of the protocol is put out of force, by something wrong in the place of a
 * collaborator, and within a bounded number of seeds the simulation must find that a number came out wrong.
 */
import type { Changelog, ChangelogRecord } from '../../src/ports/changelog.ts';
import type { StateStore } from '../../src/ports/state-store.ts';
import {
  type ChangelogCheckpoint,
  decodeChangelogCheckpoint,
  encodeChangelogCheckpoint,
} from '../../src/worker/changelog-checkpoint.ts';
import type { TaskCommit } from '../../src/worker/task-commit.ts';
import { withBatches } from '../support/with-batches.ts';
import type { KeptRecord } from './simulated-changelog.ts';
import { Simulation, type Twist, type Twists } from './simulation.ts';

const seedsMax = 3_000;

/** A changelog whose records are read as something else; null = not at all. */
function readAs(port: Changelog, change: (record: KeptRecord) => ChangelogRecord | null): Changelog {
  return {
    ...port,
    async reader(partition) {
      const reader = await port.reader(partition);
      return {
        ...reader,
        async read(from, maxBytes) {
          const { records, nextOffset } = await reader.read(from, maxBytes);
          const changed = records.map((record) => change(record as KeptRecord)).filter((record) => record !== null);
          return { records: changed, nextOffset };
        },
      };
    },
  };
}

function changeCheckpoint(
  record: ChangelogRecord,
  change: (checkpoint: ChangelogCheckpoint) => ChangelogCheckpoint,
): ChangelogRecord {
  if (record.kind !== 'checkpoint' || record.value === null) return record;
  const checkpoint = decodeChangelogCheckpoint(record.value);
  return checkpoint === undefined ? record : { ...record, value: encodeChangelogCheckpoint(change(checkpoint)) };
}

/** Checkpoints speak of the newest commit, not of that whose rows were flushed. */
function hastyCheckpoints(): Twist {
  const commits: TaskCommit[] = [];
  const hasten = (checkpoint: ChangelogCheckpoint): ChangelogCheckpoint => {
    const watermarks = new Map(checkpoint.watermarks);
    let { nextOffset, streamTimeMs, counts } = checkpoint;
    for (const commit of commits) {
      if (commit.nextOffset <= nextOffset) continue;
      ({ nextOffset, streamTimeMs, counts } = commit);
      for (const [id, watermark] of commit.watermarks) {
        if (watermark === null) watermarks.delete(id);
        else watermarks.set(id, watermark);
      }
    }
    return { ...checkpoint, nextOffset, streamTimeMs, counts, watermarks };
  };
  return {
    onCommit: (commit) => commits.push(commit),
    changelog: (port) => ({
      ...port,
      append(partition, entries, epoch, send) {
        const changed = entries.map((entry) => {
          if (entry.kind !== 'checkpoint' || entry.value === null) return entry;
          const checkpoint = decodeChangelogCheckpoint(entry.value);
          return checkpoint === undefined ? entry : { ...entry, value: encodeChangelogCheckpoint(hasten(checkpoint)) };
        });
        return port.append(partition, changed, epoch, send);
      },
    }),
  };
}

/** Appends are said to stand where they were expected, and nobody else is said to have written. */
function blindAppends(port: Changelog): Changelog {
  let expected: number | null = null;
  return {
    ...readAs(port, countAnywhere),
    async append(partition, entries, epoch, send) {
      const baseOffset = await port.append(partition, entries, epoch, send);
      if (epoch < 0) {
        expected = null;
        return baseOffset;
      }
      const told: number = expected ?? baseOffset;
      expected = told + entries.length;
      return told;
    },
    endOffset: async (partition) => expected ?? (await port.endOffset(partition)),
  };
}

function countAnywhere(record: ChangelogRecord): ChangelogRecord {
  return changeCheckpoint(record, (checkpoint) => ({ ...checkpoint, standsAt: record.offset }));
}

function forgetMarks(store: StateStore): StateStore {
  return withBatches(store, (batch) => ({
    put(key, value) {
      if (!key.startsWith('!s/')) batch.put(key, value);
    },
  }));
}

const rules: readonly (readonly [rule: string, twists: Twists])[] = [
  [
    'a row skips what it already contains',
    {
      createTwist: () => ({
        begin(rows, row, offset) {
          rows.begin(row, offset);
          return true;
        },
      }),
    },
  ],
  [
    'a row that is skipped is written to the changelog again',
    {
      createTwist: () => ({ begin: (rows, row, offset) => row.version < offset && rows.begin(row, offset) }),
    },
  ],
  ['a checkpoint speaks of flushed rows only', { createTwist: hastyCheckpoints }],
  [
    'a fold goes on with the watermarks of its checkpoint',
    {
      createTwist: () => ({
        changelog: (port) =>
          readAs(port, (record) =>
            changeCheckpoint(record, (checkpoint) => ({ ...checkpoint, watermarks: new Map() })),
          ),
      }),
    },
  ],
  [
    'what a stale owner wrote over is rewritten',
    {
      createTwist: () => ({
        changelog: (port) => readAs(port, (record) => (record.kind === 'row' && record.isLate ? null : record)),
      }),
    },
  ],
  ['each append is looked for where it stands', { createTwist: () => ({ changelog: blindAppends }) }],
  [
    'a checkpoint counts only where it was expected',
    { createTwist: () => ({ changelog: (port) => readAs(port, countAnywhere) }) },
  ],
  ['stale values that were met are remembered by the store', { createTwist: () => ({ store: forgetMarks }) }],
  ['compaction waits', { compaction: { lagMs: 0, tombstoneMs: 0 } }],
  [
    'an old value of a stale owner is not believed',
    {
      createTwist: (world) => ({
        changelog: (port) => readAs(port, (record) => ({ ...record, appendedAtMs: world.scheduler.nowMs })),
      }),
    },
  ],
  [
    'a store that came late to a checkpoint is not believed',
    {
      createTwist: (world) => ({
        changelog: (port) =>
          readAs(port, (record) =>
            record.kind === 'checkpoint' ? { ...record, appendedAtMs: world.scheduler.nowMs } : record,
          ),
      }),
    },
  ],
  [
    'dead letters are kept before the checkpoint that covers them',
    { createTwist: () => ({ sendDeadLetters: () => Promise.resolve() }) },
  ],
];

describe('the simulation', () => {
  it.each(rules)(
    'notices when this does not hold: %s',
    async (rule, twists) => {
      const symptom = rule.startsWith('dead letters') ? /not among the dead letters/ : /must (be|hold)/;
      await expect(firstFailure(twists, symptom)).resolves.toMatch(symptom);
    },
    120_000,
  );
});

async function firstFailure(twists: Twists, symptom: RegExp): Promise<string> {
  for (let seed = 1; seed <= seedsMax; seed++) {
    try {
      await new Simulation(seed, { isHaunted: true, ...twists }).run();
    } catch (error) {
      const { message } = error as Error;
      if (symptom.test(message)) return message;
    }
  }
  throw new Error(`nothing was noticed in ${seedsMax} seeds`);
}
