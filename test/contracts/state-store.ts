/** What every state store must do; each adapter runs it from its own test file. */
import fc from 'fast-check';
import type { StateStore, StoreEntry } from '../../src/ports/state-store.ts';

export interface StateStoreUnderTest {
  readonly store: StateStore;
  /** Removes what the store left behind; the store is closed by then. */
  readonly remove: () => Promise<void>;
}

export function describeStateStore(name: string, openStore: () => Promise<StateStoreUnderTest>): void {
  describe(`state store contract: ${name}`, () => {
    let store: StateStore;
    let remove: () => Promise<void>;

    beforeEach(async () => {
      ({ store, remove } = await openStore());
    });

    afterEach(async () => {
      await store.close();
      await remove();
    });

    async function put(entries: Readonly<Record<string, string>>): Promise<void> {
      const batch = store.batch();
      for (const [key, value] of Object.entries(entries)) batch.put(key, Buffer.from(value));
      await batch.write();
    }

    function read(key: string): string | undefined {
      const value = store.getSync(key);
      return value === undefined ? undefined : Buffer.from(value).toString();
    }

    it('finds what was written and nothing else', async () => {
      await put({ a: '1', b: '2' });
      expect([read('a'), read('b'), read('c'), read('')]).toEqual(['1', '2', undefined, undefined]);
      const many = await store.getMany(['b', 'c', 'a']);
      expect(many.map((value) => value && Buffer.from(value).toString())).toEqual(['2', undefined, '1']);
      expect(await store.getMany([])).toEqual([]);
    });

    it('shows nothing of a batch before it is written and all of it after', async () => {
      await put({ kept: 'old', gone: 'x' });
      const batch = store.batch();
      batch.put('kept', Buffer.from('new'));
      batch.delete('gone');
      batch.put('added', Buffer.from('y'));
      expect([read('kept'), read('gone'), read('added')]).toEqual(['old', 'x', undefined]);
      await batch.write({ sync: true });
      expect([read('kept'), read('gone'), read('added')]).toEqual(['new', undefined, 'y']);
    });

    it('applies the operations of a batch in order, the last one on a key winning', async () => {
      const batch = store.batch();
      batch.put('a', Buffer.from('1'));
      batch.delete('a');
      batch.put('b', Buffer.from('1'));
      batch.put('b', Buffer.from('2'));
      await batch.write();
      expect([read('a'), read('b')]).toEqual([undefined, '2']);
    });

    it('copies what is put, so that the caller may reuse its buffer', async () => {
      const scratch = Buffer.from('first');
      const batch = store.batch();
      batch.put('a', scratch);
      scratch.write('other');
      batch.put('b', scratch);
      await batch.write();
      expect([read('a'), read('b')]).toEqual(['first', 'other']);
    });

    it('accepts an empty batch, and refuses to write a batch twice', async () => {
      const batch = store.batch();
      await batch.write();
      await expect((async () => batch.write())()).rejects.toBeDefined();
    });

    it('keeps empty and large values byte for byte', async () => {
      const large = Buffer.alloc(3 * 1024 * 1024, 'tallyhop');
      const batch = store.batch();
      batch.put('empty', Buffer.alloc(0));
      batch.put('large', large);
      batch.put('bytes', Buffer.from([0, 255, 128, 10, 13]));
      await batch.write();
      expect(store.getSync('empty')?.length).toBe(0);
      expect(Buffer.compare(store.getSync('large') ?? Buffer.alloc(0), large)).toBe(0);
      expect([...(store.getSync('bytes') ?? [])]).toEqual([0, 255, 128, 10, 13]);
    });

    it('keeps keys of 512 characters', async () => {
      const key = 'k'.repeat(512);
      await put({ [key]: 'value' });
      expect(read(key)).toBe('value');
    });

    it('ranges in the order of bytes, with bounds, direction and limit, as a sorted list would', async () => {
      const key = fc.stringMatching(/^[!-~]{1,6}$/);
      await fc.assert(
        fc.asyncProperty(
          fc.uniqueArray(key, { maxLength: 30 }),
          fc.record(
            { gte: key, gt: key, lt: key, reverse: fc.boolean(), limit: fc.integer({ min: 1, max: 40 }) },
            { requiredKeys: ['limit'] },
          ),
          async (keys, range) => {
            const batch = store.batch();
            for (const [old] of await store.range({ limit: 10_000 })) batch.delete(old);
            for (const each of keys) batch.put(each, Buffer.from(each));
            await batch.write();

            const expected = [...keys]
              .sort((left, right) => Buffer.compare(Buffer.from(left), Buffer.from(right)))
              .filter(
                (each) =>
                  (range.gte === undefined || each >= range.gte) &&
                  (range.gt === undefined || each > range.gt) &&
                  (range.lt === undefined || each < range.lt),
              );
            if (range.reverse === true) expected.reverse();
            expect(keysOf(await store.range(range))).toEqual(expected.slice(0, range.limit));
          },
        ),
        { numRuns: 60 },
      );
    });

    it('walks a long range in chunks without repeating or skipping a key', async () => {
      const batch = store.batch();
      for (let index = 0; index < 3000; index += 1) batch.put(String(index).padStart(5, '0'), Buffer.alloc(200, 1));
      await batch.write();
      const seen: string[] = [];
      for (let gt = ''; ; ) {
        const chunk = await store.range({ gt, limit: 1100 });
        if (chunk.length === 0) break;
        seen.push(...keysOf(chunk));
        gt = seen.at(-1) ?? '';
      }
      expect(seen).toEqual(Array.from({ length: 3000 }, (_, index) => String(index).padStart(5, '0')));
    });

    it('clears a range with its lower bound and without its upper one, however large, and nothing else', async () => {
      const batch = store.batch();
      for (let index = 0; index < 5000; index += 1)
        batch.put(`k/${String(index).padStart(5, '0')}`, Buffer.alloc(50, 1));
      await batch.write();
      await put({ 'j/99999': '1', 'l/00000': '1' });
      const clearing = store.clear({ gte: 'k/00010', lt: 'k/04990' });
      await put({ 'l/00001': '1' });
      await clearing;
      const left = keysOf(await store.range({ limit: 10_000 }));
      expect(left).toHaveLength(23);
      expect(left.slice(0, 3)).toEqual(['j/99999', 'k/00000', 'k/00001']);
      expect(left.slice(10, 13)).toEqual(['k/00009', 'k/04990', 'k/04991']);
      expect(read('k/00010')).toBeUndefined();
      await store.clear({ gte: 'x', lt: 'y' });
      expect(keysOf(await store.range({ limit: 10_000 }))).toEqual(left);
    });

    it('has cleared all when it is closed, also when nobody waited for it', async () => {
      const batch = store.batch();
      for (let index = 0; index < 5000; index += 1) batch.put(`k/${index}`, Buffer.alloc(50, 1));
      await batch.write();
      const clearing = store.clear({ gte: 'k/', lt: 'k~' });
      await store.close();
      await expect(clearing).resolves.toBeUndefined();
    });

    it('gives a snapshot that later writes do not change', async () => {
      await put({ a: '1', b: '1' });
      const snapshot = store.snapshot();
      await put({ a: '2', c: '2' });
      const batch = store.batch();
      batch.delete('b');
      await batch.write();

      const many = await snapshot.getMany(['a', 'b', 'c']);
      expect(many.map((value) => value && Buffer.from(value).toString())).toEqual(['1', '1', undefined]);
      expect(keysOf(await snapshot.range({ limit: 10 }))).toEqual(['a', 'b']);
      await snapshot.close();
      expect([read('a'), read('b'), read('c')]).toEqual(['2', undefined, '2']);
    });

    it('refuses to be used after it was closed, and closes twice without harm', async () => {
      await put({ a: '1' });
      await store.close();
      expect(() => store.getSync('a')).toThrow();
      await expect(store.getMany(['a'])).rejects.toBeDefined();
      await expect(store.range({ limit: 1 })).rejects.toBeDefined();
      await store.close();
    });
  });
}

function keysOf(entries: readonly StoreEntry[]): string[] {
  return entries.map(([key]) => key);
}
