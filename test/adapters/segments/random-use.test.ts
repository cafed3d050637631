import fc from 'fast-check';
import type { SegmentLog } from '../../../src/adapters/segments/open-segment-log.ts';
import type { LogReader } from '../../../src/ports/event-log.ts';
import { put } from '../../contracts/visit-journal.ts';
import { fastTemporaryFolder, noSync, openIn, removeFolder } from './support/temporary-log.ts';

interface Written {
  readonly key: string;
  readonly value: string;
  readonly producerId: string;
  readonly sequence: number;
}

const key = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });
const value = fc.string({ unit: 'grapheme', maxLength: 200 });

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ append: fc.array(fc.tuple(key, value), { minLength: 1, maxLength: 8 }) }) },
  { weight: 3, arbitrary: fc.record({ read: fc.double({ min: 0, max: 1, noNaN: true }), maxBytes: fc.nat(2000) }) },
  { weight: 1, arbitrary: fc.constant({ reopen: true as const }) },
  { weight: 1, arbitrary: fc.record({ dropBefore: fc.double({ min: 0, max: 1, noNaN: true }) }) },
);

describe('a segment log used at random', () => {
  it('reads like a list of what was appended, across segments, reopenings and retention', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), fc.integer({ min: 53, max: 2000 }), async (steps, bytes) => {
        const folder = fastTemporaryFolder();
        const options = { segmentBytes: bytes, fileCalls: noSync };
        const written: Written[] = [];
        let start = 0;
        let opened: SegmentLog = await openIn(folder, options);
        let reader: LogReader = await opened.log.reader('visits', 0);
        let sequence = 0;
        try {
          for (const each of steps) {
            if ('append' in each) {
              const { journal } = opened;
              const sequences = await Promise.all(each.append.map(([code, text]) => put(journal, code, text)));
              for (const [index, [code, text]] of each.append.entries()) {
                expect(sequences[index]).toBe(sequence);
                written.push({ key: code, value: text, producerId: journal.producerId, sequence });
                sequence += 1;
              }
            } else if ('reopen' in each) {
              await reader.close();
              await opened.log.close();
              opened = await openIn(folder, options);
              reader = await opened.log.reader('visits', 0);
              sequence = 0;
            } else if ('dropBefore' in each) {
              const before = Math.floor(each.dropBefore * written.length);
              const now = opened.dropBefore('visits', 0, before);
              expect(now).toBeGreaterThanOrEqual(start);
              expect(now).toBeLessThanOrEqual(Math.max(start, before));
              start = now;
            } else {
              let next = start + Math.floor(each.read * (written.length - start));
              for (;;) {
                const records = await reader.read(next, each.maxBytes);
                if (records.length === 0) break;
                for (const record of records) {
                  const { offset, value: found, ...rest } = record;
                  expect(offset).toBe(next);
                  expect({ ...rest, value: found.toString('utf8') }).toEqual(written[next]);
                  next += 1;
                }
              }
              expect(next).toBe(written.length);
            }
            expect(reader.startOffset()).toBe(start);
            expect(reader.endOffset()).toBe(written.length);
          }
        } finally {
          await reader.close();
          await opened.log.close();
          removeFolder(folder);
        }
      }),
      { numRuns: 60 },
    );
  });
});
