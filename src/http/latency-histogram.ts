/** A histogram of durations that costs nanoseconds to observe: plain counters that become Prometheus text when asked. */

export interface LatencyHistogram {
  observe(durationMs: number): void;
  /** In the Prometheus text format, in seconds. */
  render(): string;
}

const boundsMs = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500];

export function createLatencyHistogram(name: string, help: string): LatencyHistogram {
  const counts = new Float64Array(boundsMs.length + 1);
  let sumMs = 0;

  return {
    observe(durationMs) {
      let bucket = 0;
      while (bucket < boundsMs.length && durationMs > (boundsMs[bucket] ?? 0)) bucket += 1;
      counts[bucket] = (counts[bucket] ?? 0) + 1;
      sumMs += durationMs;
    },
    render() {
      let cumulative = 0;
      const lines = [`# HELP ${name} ${help}`, `# TYPE ${name} histogram`];
      for (const [index, count] of counts.entries()) {
        cumulative += count;
        const bound = boundsMs[index];
        const label = bound === undefined ? '+Inf' : String(bound / 1000);
        lines.push(`${name}_bucket{le="${label}"} ${cumulative}`);
      }
      lines.push(`${name}_sum ${sumMs / 1000}`, `${name}_count ${cumulative}`);
      return `${lines.join('\n')}\n`;
    },
  };
}
