import { StatisticsUnavailable } from '../../src/ports/statistics-read-model.ts';
import type { StoreAnswer } from '../../src/ports/task-stores.ts';
import { createMonotonicStoreReader, type StoreSource } from '../../src/projections/monotonic-store-reader.ts';

const request = { partition: 2, keys: ['tabc'] };
const answer = (nextOffset: number): StoreAnswer => ({ nextOffset, streamTimeMs: 0, values: [], entries: [] });

describe('reads from several sources', () => {
  let sources: StoreSource[];
  let stands: number[];
  const reader = createMonotonicStoreReader(
    () => sources,
    (_partition, { nextOffset }) => stands.push(nextOffset),
  );
  beforeEach(() => {
    stands = [];
  });

  it('take the first answer, and tell where it stood', async () => {
    sources = [async () => answer(5), async () => answer(9)];
    expect((await reader.read(request)).nextOffset).toBe(5);
    expect(stands).toEqual([5]);
  });

  it('pass over sources that fail, have nothing, or are older than what was shown', async () => {
    sources = [
      async () => null,
      () => Promise.reject(new StatisticsUnavailable('away')),
      async () => answer(4),
      async () => answer(7),
    ];
    expect((await reader.read(request)).nextOffset).toBe(7);
  });

  it('show nothing rather than a smaller number', async () => {
    sources = [async () => answer(6)];
    await expect(reader.read(request)).rejects.toThrow('older than those shown before');
    expect((await reader.read({ partition: 2, keys: ['tother'] })).nextOffset).toBe(6);
  });

  it('hold for a row whatever it is asked for with', async () => {
    sources = [async () => answer(8)];
    await reader.read({ partition: 2, keys: ['tone', 'ttwo'] });
    sources = [async () => answer(7)];
    for (const keys of [['ttwo'], ['tnew', 'tone'], ['ttwo', 'tnew']]) {
      await expect(reader.read({ partition: 2, keys })).rejects.toThrow('older than those shown before');
    }
    expect((await reader.read({ partition: 2, keys: ['tnew'] })).nextOffset).toBe(7);
    expect((await reader.read({ partition: 1, keys: ['tone'] })).nextOffset).toBe(7);
  });
});
