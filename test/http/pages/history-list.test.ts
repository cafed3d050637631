import { historyList } from '../../../src/http/pages/history-list.ts';
import { createView } from '../../../src/http/pages/view.ts';
import type { HistoryEntry } from '../../../src/queries/link-history.ts';

const at = Date.parse('2026-11-22T12:00:00Z');
const view = createView({ headers: {}, url: '/links/abc' }, at);

function entry(version: number, changes: HistoryEntry['changes'], effective = true): HistoryEntry {
  return {
    event: {
      id: `id-${version}`,
      code: 'abc',
      at: at + version * 60_000,
      by: 'anonymous',
      commandId: `command-${version}`,
      expectedVersion: version - 1,
      type: 'LinkChanged',
      changes: {},
    },
    partition: 0,
    offset: version,
    version,
    effective,
    changes,
  };
}

const textOf = (entries: readonly HistoryEntry[]) =>
  historyList(view, entries)
    .toString()
    .replaceAll(/<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');

describe('the history of a link', () => {
  it('tells what was changed into what, the latest first', () => {
    const text = textOf([
      entry(2, { url: { from: 'https://a.example/', to: 'https://b.example/' }, tags: { from: ['x', 'y'], to: [] } }),
      entry(3, { expiresAt: { from: null, to: at }, maxVisits: { from: 1000, to: 2000 } }),
    ]);
    expect(text).toMatch(/Expires Nov 22, 2026, 12:00 PM UTC Visits allowed 1,000 → 2,000 .* Leads to/);
    expect(text).toMatch(/Leads to https:\/\/a\.example\/ → https:\/\/b\.example\/ Tags x, y → none/);
  });

  it('says that a change came too late to take effect', () => {
    expect(textOf([entry(2, { note: { from: null, to: 'late' } }, false)])).toContain('Changed nothing');
  });

  it('holds no markup of a note or target', () => {
    const markup = historyList(view, [entry(2, { note: { from: '<img src=x>', to: '"><script>' } })]).toString();
    expect(markup).not.toMatch(/<img|<script/);
  });

  it('folds away all but the last five', () => {
    const markup = historyList(
      view,
      Array.from({ length: 8 }, (_, i) => entry(i + 2, {})),
    ).toString();
    expect(markup.split('<details')[0]?.match(/<li>/g)).toHaveLength(5);
    expect(markup.match(/<li>/g)).toHaveLength(8);
  });
});
