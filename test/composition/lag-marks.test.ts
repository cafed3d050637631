import { LagMarks } from '../../src/composition/lag-marks.ts';

describe('the age of what is not yet in the numbers', () => {
  it('is 0 only when nothing is pending', () => {
    const marks = new LagMarks();
    marks.note(5, 1_000);
    expect(marks.lagMs(5, 1_000)).toBe(0);
    expect(marks.lagMs(5, 9_000)).toBe(0);
  });

  it('is more than 0 for a record that is seen at this very moment', () => {
    const marks = new LagMarks();
    marks.note(5, 1_000);
    expect(marks.lagMs(4, 1_000)).toBeGreaterThan(0);
  });

  it('counts from the last moment at which the log was seen without the record', () => {
    const marks = new LagMarks();
    marks.note(5, 1_000);
    marks.note(5, 1_050);
    marks.note(6, 1_100);
    expect(marks.lagMs(4, 1_100)).toBe(100);
    expect(marks.lagMs(5, 1_100)).toBe(50);
  });

  it('is never too small once there were more marks than are kept', () => {
    const marks = new LagMarks();
    for (let n = 1; n <= 5_000; n++) marks.note(n, n * 10);
    for (const applied of [0, 1, 2_000, 4_000, 4_990, 4_999]) {
      // The record at `applied` came after the note before its own.
      const pendingSinceMs = Math.max(10, applied * 10);
      expect(marks.lagMs(applied, 50_000)).toBeGreaterThanOrEqual(50_000 - pendingSinceMs);
    }
    expect(marks.lagMs(5_000, 50_000)).toBe(0);
  });
});
