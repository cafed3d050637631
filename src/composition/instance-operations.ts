/** What every instance without a link table of its own tells of itself: its metrics, and whether it is ready. */
import type { Readiness } from '../http/app-options.ts';
import { createMetrics, type MetricSources, type Metrics } from '../http/metrics.ts';
import type { Instance } from './instance.ts';

export function createInstanceMetrics(
  instance: Instance,
  { progress, journalDepth }: Pick<MetricSources, 'progress' | 'journalDepth'>,
): Metrics {
  const { log, shared, foldCounts, journalFigures, journalBacklog } = instance;
  const { partitions } = log.remembered;
  return createMetrics({
    visitsEndOffsets: () =>
      Array.from({ length: partitions }, (_, partition) => ({ partition, endOffset: shared.endOffset(partition) })),
    progress,
    journalDepth,
    links: () => 0,
    streams: () => 0,
    foldCounts,
    journalFigures,
    ...(journalBacklog && { journalBacklog }),
  });
}

/** @param checks of what only this role has */
export function readinessOfInstance(
  instance: Instance,
  draining: boolean,
  checks: Readiness['checks'] = {},
): Readiness {
  return {
    ready: !draining,
    checks: {
      server: draining ? 'draining: this process is about to stop' : 'ok',
      links: instance.refusal() ?? 'ok',
      ...instance.checks(),
      ...checks,
    },
    rebuild: null,
  };
}
