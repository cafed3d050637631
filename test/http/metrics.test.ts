import { createMetrics, type JournalBacklog, type MetricSources } from '../../src/http/metrics.ts';

function sources(journalBacklog?: () => JournalBacklog): MetricSources {
  return {
    visitsEndOffsets: () => [],
    progress: () => ({ partitions: [], lagMs: 0, rebuild: null, halted: null }),
    journalDepth: () => ({ visits: 0, bytes: 0 }),
    links: () => 0,
    streams: () => 0,
    foldCounts: () => ({ folded: 0, duplicates: 0, gaps: 0, deadLetters: 0 }),
    journalFigures: () => ({ writeErrors: 0, lastSyncMs: 0 }),
    ...(journalBacklog === undefined ? {} : { journalBacklog }),
  };
}

const linesOf = (text: string, name: string): string[] => text.split('\n').filter((line) => line.startsWith(name));

describe('the metrics of a journal that is forwarded', () => {
  it('tell how much waits as it is when they are asked for', async () => {
    let backlog: JournalBacklog = { visits: 7, bytes: 1_750, oldestAgeMs: 2_500, resent: 3, setAside: 0 };
    const metrics = createMetrics(sources(() => backlog));
    expect(linesOf(await metrics.render(), 'tallyhop_journal_backlog')).toEqual([
      'tallyhop_journal_backlog_visits 7',
      'tallyhop_journal_backlog_bytes 1750',
      'tallyhop_journal_backlog_seconds 2.5',
    ]);
    backlog = { visits: 0, bytes: 0, oldestAgeMs: 0, resent: 5, setAside: 2 };
    const text = await metrics.render();
    expect(linesOf(text, 'tallyhop_journal_backlog_visits')).toEqual(['tallyhop_journal_backlog_visits 0']);
    expect(linesOf(text, 'tallyhop_journal_resent_total')).toEqual(['tallyhop_journal_resent_total 5']);
    expect(linesOf(text, 'tallyhop_journal_set_aside_visits')).toEqual(['tallyhop_journal_set_aside_visits 2']);
  });

  it('are not there where the journal is the log itself', async () => {
    const text = await createMetrics(sources()).render();
    expect(text).not.toMatch(/tallyhop_journal_(backlog|resent|set_aside)/);
    expect(text).toContain('tallyhop_journal_visits 0');
  });
});
