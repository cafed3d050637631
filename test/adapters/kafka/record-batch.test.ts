/** Record batches as bytes: what is written is read, and whatever else is there is refused as a whole, or read as far as it is whole. */
import fc from 'fast-check';
import {
  encodeRecordBatch,
  openBatch,
  type RecordToSend,
  splitBatches,
  UnreadableBatch,
} from '../../../src/adapters/kafka/record-batch.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const header = fc.string({ unit: 'grapheme-ascii', maxLength: 20 });
const record: fc.Arbitrary<RecordToSend> = fc.record({
  key: fc.string({ unit: 'binary-ascii', maxLength: 300 }),
  value: fc.option(bytes),
  headers: fc.array(fc.tuple(header, header), { maxLength: 5 }).map((pairs) => pairs.flat()),
});
const records = fc.array(record, { minLength: 1, maxLength: 100 });

/** Of headers with one name the first counts. */
function headersOf({ headers }: RecordToSend): Record<string, string> {
  const pairs = Array.from({ length: headers.length / 2 }, (_, i) => [headers[2 * i] ?? '', headers[2 * i + 1] ?? '']);
  return Object.fromEntries(pairs.reverse());
}

describe('a record batch', () => {
  it('gives back what was written into it, also cut off behind it', () => {
    fc.assert(
      fc.property(records, fc.nat({ max: 200 }), (written, cutBytes) => {
        const batch = encodeRecordBatch(written, 1_767_225_600_000);
        const found = splitBatches(Buffer.concat([batch, batch.subarray(0, Math.min(cutBytes, batch.length - 1))]));
        expect(found).toHaveLength(1);
        const read = found.flatMap(openBatch);
        expect(read.map(({ offset, key, value }) => ({ offset, key: key?.toString('latin1'), value }))).toEqual(
          written.map(({ key, value }, offset) => ({ offset, key, value })),
        );
        read.forEach((record, place) => {
          const expected = headersOf(written[place] as RecordToSend);
          for (const [name, text] of Object.entries(expected)) expect(record.header(name)).toBe(text);
          expect(record.header('no such header, for all are shorter')).toBeUndefined();
        });
      }),
    );
  });

  it('that was changed anywhere is read or refused, within its bytes and without another error', () => {
    fc.assert(
      fc.property(
        records,
        fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { minLength: 1, maxLength: 4 }),
        (written, changes) => {
          const batch = encodeRecordBatch(written, 0);
          for (const [place, value] of changes) batch[place % batch.length] = value;
          try {
            for (const found of splitBatches(batch)) expect(openBatch(found).length).toBeLessThanOrEqual(batch.length);
          } catch (error) {
            expect(error).toBeInstanceOf(UnreadableBatch);
          }
        },
      ),
    );
  });
});
