/** What a running program keeps: refused input must leave all of it as it was. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { call } from './http-client.ts';
import type { RunningProgram } from './running-program.ts';

export interface Traces {
  readonly links: number;
  readonly visits: number;
  /** Bytes of the logs' segment files: an event that was emitted stands there. */
  readonly linksLogBytes: number;
  readonly visitsLogBytes: number;
  /** Answers that told of a defect or an outage. */
  readonly serverErrors: number;
}

/** @param program one that was started with no limits and logs at `warn`, so that its output tells of trouble alone */
export async function tracesOf(program: RunningProgram): Promise<Traces> {
  const { text } = await call(program.port, { path: '/metrics' });
  const sum = (pattern: RegExp) => [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
  return {
    links: sum(/^tallyhop_links (\d+)/gm),
    visits: sum(/^tallyhop_log_end_offset\{topic="visits",[^}]*\} (\d+)/gm),
    linksLogBytes: bytesBelow(join(program.dataDir, 'log', 'links')),
    visitsLogBytes: bytesBelow(join(program.dataDir, 'log', 'visits')),
    serverErrors: sum(/^tallyhop_http_requests_total\{[^}]*status="5\d\d"[^}]*\} (\d+)/gm),
  };
}

function bytesBelow(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((total, entry) => total + statSync(join(entry.parentPath, entry.name)).size, 0);
}
