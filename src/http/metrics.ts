/**
 * The numbers of `/metrics`, in the Prometheus text format. Hot paths only raise plain counters; everything else is
 * read from its source when it is scraped, and the Prometheus client is loaded at the first scrape.
 */
import type { Registry } from 'prom-client';
import type { StatisticsProgress } from '../ports/statistics-read-model.ts';
import { createLatencyHistogram } from './latency-histogram.ts';
import type { RedirectOutcome } from './redirect-door.ts';
import { type RedirectMiss, redirectMissStatus } from './redirect-miss.ts';

export interface Metrics {
  /** Called by the redirect door for each request that it answered. */
  recordRedirect(outcome: RedirectOutcome, durationMs: number): void;
  /**
   * @param route pattern of the path, never the path itself: labels must stay few
   * @param durationMs null for a live stream, whose length says nothing
   */
  recordRequest(route: string, method: string, status: number, durationMs: number | null): void;
  /** Called after each commit of the fold. */
  recordCommit(durationMs: number): void;
  render(): Promise<string>;
  readonly contentType: string;
}

export const redirectOutcomes: readonly RedirectOutcome[] = [
  'redirected',
  ...(Object.keys(redirectMissStatus) as RedirectMiss[]),
];

/** Where the numbers come from. Each function is called at a scrape and must be cheap. */
export interface MetricSources {
  /** End of each partition of `visits`; what is applied comes from `progress`. */
  visitsEndOffsets(): readonly { readonly partition: number; readonly endOffset: number }[];
  progress(): StatisticsProgress;
  journalDepth(): { readonly visits: number; readonly bytes: number };
  links(): number;
  streams(): number;
  foldCounts(): FoldCounts;
  journalFigures(): { readonly writeErrors: number; readonly lastSyncMs: number };
  /** What of the journal is yet to be forwarded; not there where the journal is the log itself. */
  readonly journalBacklog?: () => JournalBacklog;
}

/** Visits that are journaled and not yet in the shared log. */
export interface JournalBacklog {
  readonly visits: number;
  /** About so much of the disk. */
  readonly bytes: number;
  readonly oldestAgeMs: number;
  /** Visits of repeated attempts since the start. */
  readonly resent: number;
  /** Visits that were too old to be forwarded, since the start. */
  readonly setAside: number;
}

/** What became of the visits of the log: each was folded, known already, or could never be folded. */
export interface FoldCounts {
  readonly folded: number;
  readonly duplicates: number;
  /** Times that a producer's sequence skipped: visits were lost before they reached the log. */
  readonly gaps: number;
  readonly deadLetters: number;
}

export function createMetrics(sources: MetricSources): Metrics {
  const redirects = new Map<RedirectOutcome, number>(redirectOutcomes.map((outcome) => [outcome, 0]));
  const requests = new Map<string, { labels: RequestLabels; count: number }>();
  const redirectSeconds = createLatencyHistogram('tallyhop_redirect_duration_seconds', 'Time to answer a short code.');
  const requestSeconds = createLatencyHistogram('tallyhop_http_request_duration_seconds', 'Time to answer all else.');
  const commitSeconds = createLatencyHistogram('tallyhop_commit_duration_seconds', 'Time of a commit of the fold.');
  let registry: Promise<Registry> | undefined;

  return {
    contentType: 'text/plain; version=0.0.4; charset=utf-8',
    recordRedirect(outcome, durationMs) {
      redirects.set(outcome, (redirects.get(outcome) ?? 0) + 1);
      redirectSeconds.observe(durationMs);
    },
    recordRequest(route, method, status, durationMs) {
      const key = `${method} ${route} ${status}`;
      const entry = requests.get(key);
      if (entry) entry.count += 1;
      else requests.set(key, { labels: { route, method, status: String(status) }, count: 1 });
      if (durationMs !== null) requestSeconds.observe(durationMs);
    },
    recordCommit: (durationMs) => commitSeconds.observe(durationMs),
    async render() {
      registry ??= createRegistry(sources, redirects, requests);
      const text = await (await registry).metrics();
      return [text.trimEnd(), '\n', redirectSeconds.render(), requestSeconds.render(), commitSeconds.render()].join('');
    },
  };
}

interface RequestLabels {
  readonly route: string;
  readonly method: string;
  readonly status: string;
}

async function createRegistry(
  sources: MetricSources,
  redirects: ReadonlyMap<RedirectOutcome, number>,
  requests: ReadonlyMap<string, { readonly labels: RequestLabels; readonly count: number }>,
): Promise<Registry> {
  const { collectDefaultMetrics, Counter, Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });

  const gauge = (name: string, help: string, read: () => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read());
      },
    });
  };

  new Counter({
    name: 'tallyhop_redirects_total',
    help: 'Requests for a short code, by what they were answered.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of redirects) this.inc({ outcome }, count);
    },
  });
  new Counter({
    name: 'tallyhop_http_requests_total',
    help: 'Requests behind the redirect door, by route, method and status.',
    labelNames: ['route', 'method', 'status'],
    registers,
    collect() {
      this.reset();
      for (const { labels, count } of requests.values()) this.inc({ ...labels }, count);
    },
  });
  new Counter({
    name: 'tallyhop_visits_dropped_total',
    help: 'Visits that were answered with a redirect and not journaled. Always 0: such a request is answered 503.',
    registers,
  });
  new Gauge({
    name: 'tallyhop_log_end_offset',
    help: 'The offset that the next visit of a partition will get.',
    labelNames: ['topic', 'partition'],
    registers,
    collect() {
      for (const { partition, endOffset } of sources.visitsEndOffsets()) {
        this.set({ topic: 'visits', partition: String(partition) }, endOffset);
      }
    },
  });
  new Gauge({
    name: 'tallyhop_applied_offset',
    help: 'The next offset of a partition to be counted: all before it are in the statistics.',
    labelNames: ['topic', 'partition'],
    registers,
    collect() {
      for (const { partition, nextOffset } of sources.progress().partitions) {
        this.set({ topic: 'visits', partition: String(partition) }, nextOffset);
      }
    },
  });
  new Counter({
    name: 'tallyhop_fold_records_total',
    help: 'Visits of the log by what became of them: folded, duplicate, dead-letter; and gaps in the sequences of a producer.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      const { folded, duplicates, gaps, deadLetters } = sources.foldCounts();
      this.inc({ outcome: 'folded' }, folded);
      this.inc({ outcome: 'duplicate' }, duplicates);
      this.inc({ outcome: 'gap' }, gaps);
      this.inc({ outcome: 'dead-letter' }, deadLetters);
    },
  });
  gauge('tallyhop_journal_write_errors', 'Writes of the journal that failed since the start.', () => {
    return sources.journalFigures().writeErrors;
  });
  gauge('tallyhop_journal_sync_seconds', 'How long the last sync of the journal took.', () => {
    return sources.journalFigures().lastSyncMs / 1000;
  });
  gauge(
    'tallyhop_lag_seconds',
    'Age of the oldest visit that is not yet counted.',
    () => sources.progress().lagMs / 1000,
  );
  gauge('tallyhop_rebuild_progress', 'Share of a rebuild that is done; 1 when there is none.', () => {
    return sources.progress().rebuild?.fraction ?? 1;
  });
  gauge('tallyhop_fold_halted', '1 when the fold has stopped and needs a person.', () => {
    return sources.progress().halted === null ? 0 : 1;
  });
  gauge('tallyhop_journal_visits', 'Visits taken and not yet written.', () => sources.journalDepth().visits);
  gauge('tallyhop_journal_bytes', 'Bytes of visits taken and not yet written.', () => sources.journalDepth().bytes);
  const { journalBacklog } = sources;
  if (journalBacklog !== undefined) {
    gauge('tallyhop_journal_backlog_visits', 'Visits journaled and not yet forwarded.', () => journalBacklog().visits);
    gauge('tallyhop_journal_backlog_bytes', 'Bytes of visits not yet forwarded.', () => journalBacklog().bytes);
    gauge(
      'tallyhop_journal_backlog_seconds',
      'Age of the oldest visit that is not yet forwarded.',
      () => journalBacklog().oldestAgeMs / 1000,
    );
    new Counter({
      name: 'tallyhop_journal_resent_total',
      help: 'Visits that were sent again after an answer was lost or refused.',
      registers,
      collect() {
        this.reset();
        this.inc(journalBacklog().resent);
      },
    });
    gauge('tallyhop_journal_set_aside_visits', 'Visits set aside since the start: too old to be forwarded.', () => {
      return journalBacklog().setAside;
    });
  }
  gauge('tallyhop_links', 'Links in the table, deleted ones included.', sources.links);
  gauge('tallyhop_streams', 'Open live streams.', sources.streams);
  return registry;
}
