/**
 * Reads of this instance's task stores for other instances: the route, and both directions of its JSON. Rows travel as base64,
 * offsets as decimal texts.
 */
import type { KeyRange, StoreEntry } from '../../ports/state-store.ts';
import type { LocalTasks, StoreAnswer, StoreRequest, TaskPosition } from '../../ports/task-stores.ts';
import { InternalRefusal, type InternalRoute } from './internal-door.ts';

export const storeReadsPath = '/internal/v1/stores/read';
export const positionsPath = '/internal/v1/positions';

/** Keys of one read; a key has at most 512 characters. */
export const storeReadKeysMax = 10_000;
const bodyLimitBytes = 1024 * 1024;
const rangeLimitMax = 10_000;
const partitionMax = 100_000;

export interface InternalRoutesOptions {
  readonly instanceId: string;
  /** `name@version` of the topology whose rows are asked for: an instance with other rows must not answer. */
  readonly topology: string;
  readonly local: LocalTasks;
}

/** A request as it travels. */
export interface StoreReadQuestion {
  readonly topology: string;
  readonly request: StoreRequest;
  /** Whether a copy that only follows the owner may answer. */
  readonly standbyWillDo: boolean;
}

export interface InstancePositions {
  readonly instanceId: string;
  readonly topology: string;
  readonly tasks: readonly TaskPosition[];
}

/** What this instance tells others of its tasks. It never asks a further instance: 421 when the task is not here. */
export function internalTaskRoutes(options: InternalRoutesOptions): readonly InternalRoute[] {
  const { instanceId, topology, local } = options;
  return [
    {
      path: storeReadsPath,
      bodyLimitBytes,
      async answer(body) {
        const question = parseStoreRead(body);
        if (question === null) throw new InternalRefusal(400, 'The body is no read of a store.');
        if (question.topology !== topology) {
          throw new InternalRefusal(409, `This instance has the rows of ${topology}, not of ${question.topology}.`);
        }
        const { partition } = question.request;
        const role = local.roleOf(partition);
        if (role === null || (role === 'standby' && !question.standbyWillDo)) {
          throw new InternalRefusal(421, `This instance does not own task ${partition}.`);
        }
        return storeAnswerJson(await local.read(question.request));
      },
    },
    {
      path: positionsPath,
      bodyLimitBytes: 1024,
      answer(): unknown {
        const tasks = local.positions().map((task) => ({ ...task, nextOffset: String(task.nextOffset) }));
        return { instanceId, topology, tasks };
      },
    },
  ];
}

export function storeReadJson({ topology, request, standbyWillDo }: StoreReadQuestion): unknown {
  return { topology, standbyWillDo, ...request };
}

/** Null when it is not exactly such a question: an older or a newer build's must not be half understood. */
export function parseStoreRead(body: unknown): StoreReadQuestion | null {
  if (!hasOnly(body, ['topology', 'standbyWillDo', 'partition', 'keys', 'range'])) return null;
  const { topology, standbyWillDo, partition, keys, range } = body;
  if (typeof topology !== 'string' || typeof standbyWillDo !== 'boolean') return null;
  if (!isWhole(partition, partitionMax)) return null;
  if (!Array.isArray(keys) || keys.length > storeReadKeysMax || !keys.every(isKey)) return null;
  if (range === undefined) return { topology, standbyWillDo, request: { partition, keys } };
  return isRange(range) ? { topology, standbyWillDo, request: { partition, keys, range } } : null;
}

export function storeAnswerJson({ nextOffset, streamTimeMs, values, entries }: StoreAnswer): unknown {
  return {
    nextOffset: String(nextOffset),
    streamTimeMs,
    values: values.map((value) => (value === undefined ? null : base64(value))),
    entries: entries.map(([key, value]) => [key, base64(value)]),
  };
}

/** Null when it is no answer to `request`. */
export function parseStoreAnswer(body: unknown, request: StoreRequest): StoreAnswer | null {
  if (!isObject(body)) return null;
  const { nextOffset, streamTimeMs, values, entries } = body;
  const offset = parseOffset(nextOffset);
  if (offset === null || !isWhole(streamTimeMs)) return null;
  if (!Array.isArray(values) || values.length !== request.keys.length) return null;
  if (!values.every((value) => value === null || typeof value === 'string')) return null;
  if (!Array.isArray(entries) || entries.length > (request.range?.limit ?? 0) || !entries.every(isTextPair))
    return null;
  return {
    nextOffset: offset,
    streamTimeMs,
    values: (values as (string | null)[]).map((value) => (value === null ? undefined : Buffer.from(value, 'base64'))),
    entries: (entries as [string, string][]).map(([key, value]): StoreEntry => [key, Buffer.from(value, 'base64')]),
  };
}

/** Null when it does not say where tasks stand. */
export function parsePositions(body: unknown): InstancePositions | null {
  if (!isObject(body) || typeof body['instanceId'] !== 'string' || typeof body['topology'] !== 'string') return null;
  if (!Array.isArray(body['tasks'])) return null;
  const tasks: TaskPosition[] = [];
  for (const task of body['tasks'] as unknown[]) {
    if (!isObject(task)) return null;
    const { partition, role, nextOffset, streamTimeMs } = task;
    const offset = parseOffset(nextOffset);
    if (!isWhole(partition, partitionMax) || offset === null || !isWhole(streamTimeMs)) return null;
    if (role !== 'active' && role !== 'standby') return null;
    tasks.push({ partition, role, nextOffset: offset, streamTimeMs });
  }
  return { instanceId: body['instanceId'], topology: body['topology'], tasks };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function parseOffset(value: unknown): number | null {
  if (typeof value !== 'string' || !/^\d{1,16}$/.test(value)) return null;
  return Number.isSafeInteger(Number(value)) ? Number(value) : null;
}

function isRange(range: unknown): range is KeyRange {
  if (!hasOnly(range, ['gte', 'gt', 'lt', 'reverse', 'limit'])) return false;
  const { gte, gt, lt, reverse, limit } = range;
  if (![gte, gt, lt].every((bound) => bound === undefined || isKey(bound))) return false;
  if (reverse !== undefined && typeof reverse !== 'boolean') return false;
  return isWhole(limit, rangeLimitMax) && limit > 0;
}

/** As `StateStore` takes them: ASCII. */
function isKey(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length >= 1 && value.length <= 512 && Buffer.byteLength(value) === value.length
  );
}

function isWhole(value: unknown, max = Number.MAX_SAFE_INTEGER): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= max;
}

function isTextPair(value: unknown): value is readonly [string, string] {
  return Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasOnly(value: unknown, names: readonly string[]): value is Readonly<Record<string, unknown>> {
  return isObject(value) && Object.keys(value).every((name) => names.includes(name));
}
