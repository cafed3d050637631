import { systemClock } from '../../../src/adapters/system/system-clock.ts';
import { systemRandom } from '../../../src/adapters/system/system-random.ts';

describe('the machine as a source of randomness', () => {
  it('makes codes of base62 in the length asked for', () => {
    for (const size of [1, 7, 64]) expect(systemRandom.code(size)).toMatch(new RegExp(`^[A-Za-z0-9]{${size}}$`));
    expect(new Set(Array.from({ length: 1_000 }, () => systemRandom.code(7))).size).toBe(1_000);
  });

  it('makes the same code of the same bytes', () => {
    const bytes = (count: number) => new Uint8Array(count).fill(9);
    expect(systemRandom.code(7, bytes)).toBe(systemRandom.code(7, bytes));
    expect(systemRandom.code(7, (count) => new Uint8Array(count).fill(10))).not.toBe(systemRandom.code(7, bytes));
  });

  it('makes ids of UUID version 7 in the order of time', () => {
    const ids = Array.from({ length: 100 }, () => systemRandom.id());
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect([...ids].sort()).toEqual(ids);
  });

  it('gives as many bytes as asked for, other ones each time', () => {
    expect(systemRandom.bytes(32)).toHaveLength(32);
    expect(Buffer.compare(systemRandom.bytes(32), systemRandom.bytes(32))).not.toBe(0);
  });
});

describe("the machine's clocks", () => {
  it('tell the time of day, and durations that never fall', () => {
    expect(systemClock.nowMs()).toBeGreaterThan(Date.UTC(2024, 0));
    expect(Number.isInteger(systemClock.nowMs())).toBe(true);
    const before = systemClock.monotonicMs();
    expect(systemClock.monotonicMs()).toBeGreaterThanOrEqual(before);
  });
});
