/** What every visit journal must do. An adapter's test calls this with a way to open one beside its log. */
import { type EventLog, LogUnavailable } from '../../src/ports/event-log.ts';
import type { VisitJournal } from '../../src/ports/visit-journal.ts';
import { readAll } from './event-log.ts';

export interface OpenedJournal {
  readonly journal: VisitJournal;
  /** The log whose `visits` topic, with one partition, holds what the journal took. */
  readonly log: EventLog;
  dispose(): Promise<void>;
}

export function visitJournalContract(name: string, open: () => Promise<OpenedJournal>): void {
  describe(`${name} as a journal of visits`, () => {
    let opened: OpenedJournal;

    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.dispose());

    it('gives each visit its sequence, dense from 0, in the order of the calls', async () => {
      const { journal, log } = opened;
      const sequences = await Promise.all(Array.from({ length: 30 }, (_, i) => put(journal, `c${i}`, `[${i}]`)));
      expect(sequences).toEqual(Array.from({ length: 30 }, (_, i) => i));
      expect(await put(journal, 'later', '[]')).toBe(30);
      const records = await readAll(log, 'visits', 0, 0);
      expect(records.map(({ key }) => key)).toEqual([...Array.from({ length: 30 }, (_, i) => `c${i}`), 'later']);
      expect(records.map(({ sequence }) => sequence)).toEqual(Array.from({ length: 31 }, (_, i) => i));
      expect(new Set(records.map(({ producerId }) => producerId))).toEqual(new Set([journal.producerId]));
    });

    it('has the visit in the log before it says so', async () => {
      const { journal, log } = opened;
      const reader = await log.reader('visits', 0);
      const end = await new Promise((resolve) => {
        journal.append('code', Buffer.from('["x"]'), () => resolve(reader.endOffset()));
      });
      expect(end).toBe(1);
      await reader.close();
    });

    it('keeps any text as UTF-8', async () => {
      const { journal, log } = opened;
      const values = ['', 'plain', '[1,"Zürich 東京 🙂"]', 'x'.repeat(70_000), '\u0000"\\\n'];
      for (const value of values) await put(journal, 'code', value);
      expect((await readAll(log, 'visits', 0, 0)).map(({ value }) => value.toString('utf8'))).toEqual(values);
    });

    it('takes visits from inside a callback', async () => {
      const { journal } = opened;
      const sequence = await new Promise((resolve) => {
        journal.append('a', Buffer.from('1'), () =>
          journal.append('b', Buffer.from('2'), (_error, inner) => resolve(inner)),
        );
      });
      expect(sequence).toBe(1);
      expect(await Promise.all([put(journal, 'c', '3'), put(journal, 'd', '4')])).toEqual([2, 3]);
    });

    it('says how much waits, and writes it at once when flushed', async () => {
      const { journal } = opened;
      expect(journal.depth()).toEqual({ visits: 0, bytes: 0 });
      const sequences: number[] = [];
      journal.append('code', Buffer.from('["a"]'), (_error, sequence) => sequences.push(sequence));
      journal.append('code', Buffer.from('["b"]'), (_error, sequence) => sequences.push(sequence));
      expect(journal.depth().visits).toBe(2);
      expect(journal.depth().bytes).toBeGreaterThanOrEqual(10);
      await journal.flush();
      expect(sequences).toEqual([0, 1]);
      expect(journal.depth()).toEqual({ visits: 0, bytes: 0 });
    });

    it('refuses a code that is not ASCII without harm to the others', async () => {
      const { journal } = opened;
      const before = put(journal, 'a', '1');
      await expect(put(journal, 'ä', '2')).rejects.toThrow(RangeError);
      const after = put(journal, 'b', '3');
      expect(await Promise.all([before, after])).toEqual([0, 1]);
    });

    it('refuses visits after its log was closed', async () => {
      const { journal, log } = opened;
      await log.close();
      await expect(put(journal, 'a', '1')).rejects.toThrow(LogUnavailable);
    });
  });
}

/** Appends one visit; resolves with its sequence. */
export function put(journal: VisitJournal, code: string, value: string): Promise<number> {
  return new Promise((resolve, reject) => {
    journal.append(code, Buffer.from(value), (error, sequence) => (error === null ? resolve(sequence) : reject(error)));
  });
}
