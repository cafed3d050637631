/**
 * Live totals over server-sent events: after each commit of the fold, the absolute numbers of every watched code that
 * changed, at most four times a second. A reader who is slow gets fewer and newer snapshots, never a queue.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { VisitTotals } from '../domain/statistics.ts';
import type { Logger } from '../ports/logger.ts';
import {
  type Position,
  type RebuildProgress,
  type StatisticsReadModel,
  StatisticsRebuilding,
  StatisticsUnavailable,
} from '../ports/statistics-read-model.ts';
import { encodePositionToken } from './position-token.ts';
import { ProblemError } from './problem.ts';
import { isoInstantOrNull } from './times.ts';

export interface LiveTotals {
  /**
   * Opens a stream of the codes' totals, or of the overall totals for null. Throws the 503 or 429 problem when there
   * are too many. The response then belongs to the stream until the client goes or `close` is called.
   */
  open(request: IncomingMessage, response: ServerResponse, codes: readonly string[] | null, clientKey: string): void;
  /** Streams that are open. */
  size(): number;
  /** Ends every stream; later ones are refused. */
  close(): void;
}

export interface LiveTotalsOptions {
  readonly statistics: StatisticsReadModel;
  readonly logId: string;
  readonly logger: Logger;
  readonly streamsMax?: number;
  readonly streamsPerClientMax?: number;
  /** Pause between two pushes. */
  readonly pushIntervalMs?: number;
  readonly heartbeatMs?: number;
}

interface Stream {
  readonly codes: readonly string[] | null;
  readonly clientKey: string;
  readonly response: ServerResponse;
  /** What was last written per code: only what changed is sent, and a total never falls when two reads overtake. */
  readonly sent: Map<string | null, { readonly total: number; readonly data: string }>;
  /** Heartbeats in a row that could not be written. */
  stalledBeats: number;
}

interface Snapshot {
  readonly position: Position;
  readonly totalsOf: (code: string | null) => VisitTotals | undefined;
}

/** A reader that takes nothing for so many heartbeats is gone. */
const stalledBeatsMax = 4;

const noVisits = { total: 0, nonBots: 0, bots: 0, lastVisitAt: null };

export function createLiveTotals(options: LiveTotalsOptions): LiveTotals {
  const { statistics, logId, logger } = options;
  const { streamsMax = 1000, streamsPerClientMax = 20, pushIntervalMs = 250, heartbeatMs = 15_000 } = options;
  const streams = new Set<Stream>();
  let stopListening: (() => void) | undefined;
  let heartbeat: NodeJS.Timeout | undefined;
  let pause: NodeJS.Timeout | undefined;
  let pushing = false;
  let pending = false;
  let closed = false;

  /** Pushes now, or when the last push and the pause since it began are over. */
  const schedulePush = (): void => {
    pending = true;
    if (pushing || pause || streams.size === 0) return;
    pushing = true;
    pending = false;
    // The pause counts from the beginning of a push, so that a slow one does not make the next later still.
    pause = setTimeout(() => {
      pause = undefined;
      if (pending) schedulePush();
    }, pushIntervalMs);
    pause.unref();
    void pushAll()
      .catch((error: unknown) => logger.error({ err: error }, 'live totals could not be pushed'))
      .finally(() => {
        pushing = false;
        if (pending && !pause) schedulePush();
      });
  };

  const pushAll = async (): Promise<void> => {
    const targets = [...streams];
    const rebuild = statistics.progress().rebuild;
    if (rebuild) {
      for (const stream of targets) writeRebuild(stream, rebuild);
      return;
    }
    try {
      const snapshot = await readSnapshot(statistics, targets);
      const id = encodePositionToken(logId, snapshot.position.partitions);
      for (const stream of targets) writeTotals(stream, snapshot, id);
    } catch (error) {
      if (error instanceof StatisticsRebuilding) {
        for (const stream of targets) writeRebuild(stream, error.progress);
      } else if (error instanceof StatisticsUnavailable) {
        pending = true;
      } else {
        throw error;
      }
    }
  };

  const beat = (): void => {
    for (const stream of streams) {
      stream.stalledBeats = stream.response.writableNeedDrain ? stream.stalledBeats + 1 : 0;
      if (stream.stalledBeats >= stalledBeatsMax) stream.response.destroy();
      else if (takesMore(stream.response)) stream.response.write(': still here\n\n');
    }
  };

  const add = (stream: Stream): void => {
    streams.add(stream);
    stopListening ??= statistics.onProgress(schedulePush);
    heartbeat ??= setInterval(beat, heartbeatMs).unref();
  };

  const remove = (stream: Stream): void => {
    streams.delete(stream);
    if (streams.size > 0) return;
    stopListening?.();
    stopListening = undefined;
    clearInterval(heartbeat);
    heartbeat = undefined;
  };

  return {
    open(request, response, codes, clientKey) {
      if (closed || streams.size >= streamsMax) throw tooMany('too-many-streams');
      const ofClient = [...streams].filter((stream) => stream.clientKey === clientKey).length;
      if (ofClient >= streamsPerClientMax) throw tooMany('too-many-requests');
      response.writeHead(200, {
        'Content-Type': 'text/event-stream',
        'Cache-Control': 'no-store',
        'X-Accel-Buffering': 'no',
      });
      if (request.method === 'HEAD') {
        response.end();
        return;
      }
      const stream: Stream = { codes, clientKey, response, sent: new Map(), stalledBeats: 0 };
      response.write('retry: 2000\n\n');
      response.on('drain', schedulePush);
      response.once('close', () => remove(stream));
      add(stream);
      // A `Last-Event-ID` changes nothing: the snapshot that comes first is absolute, so no gap can remain.
      void sendFirst(stream);
    },
    size: () => streams.size,
    close() {
      closed = true;
      clearTimeout(pause);
      for (const stream of streams) stream.response.end();
    },
  };

  /** A new stream does not wait for the others' pause. */
  async function sendFirst(stream: Stream): Promise<void> {
    try {
      const rebuild = statistics.progress().rebuild;
      if (rebuild) throw new StatisticsRebuilding(rebuild);
      const snapshot = await readSnapshot(statistics, [stream]);
      writeTotals(stream, snapshot, encodePositionToken(logId, snapshot.position.partitions));
    } catch (error) {
      if (error instanceof StatisticsRebuilding) writeRebuild(stream, error.progress);
      else schedulePush();
    }
  }
}

async function readSnapshot(statistics: StatisticsReadModel, streams: readonly Stream[]): Promise<Snapshot> {
  const codes = [...new Set(streams.flatMap((stream) => stream.codes ?? []))];
  const wantsOverall = streams.some((stream) => stream.codes === null);
  const [ofCodes, overall] = await Promise.all([
    codes.length > 0 ? statistics.totalsOf(codes) : null,
    wantsOverall ? statistics.overall() : null,
  ]);
  return {
    // Of two reads the older position is told: a snapshot may hold more than its id says, never less.
    position: olderOf(ofCodes?.position, overall?.position),
    totalsOf: (code) => (code === null ? overall?.totals : ofCodes?.totals.get(code)),
  };
}

function olderOf(one: Position | undefined, other: Position | undefined): Position {
  if (!one || !other) return one ?? other ?? { partitions: [] };
  const partitions = one.partitions.map((position, index) => {
    const twin = other.partitions[index];
    return twin && twin.nextOffset < position.nextOffset ? twin : position;
  });
  return { partitions };
}

function writeTotals(stream: Stream, snapshot: Snapshot, id: string): void {
  const { response, sent } = stream;
  if (!takesMore(response)) return;
  let text = '';
  for (const code of stream.codes ?? [null]) {
    const { total, nonBots, bots, lastVisitAt } = snapshot.totalsOf(code) ?? noVisits;
    const data = JSON.stringify({ code, total, nonBots, bots, lastVisitAt: isoInstantOrNull(lastVisitAt) });
    const last = sent.get(code);
    if (!last || (last.data !== data && last.total <= total)) {
      sent.set(code, { total, data });
      text += `event: totals\nid: ${id}\ndata: ${data}\n\n`;
    }
  }
  if (text !== '') response.write(text);
}

function writeRebuild(stream: Stream, progress: RebuildProgress): void {
  const { response } = stream;
  if (!takesMore(response)) return;
  const { fraction, recordsDone, recordsTotal } = progress;
  response.write(`event: rebuild\ndata: ${JSON.stringify({ progress: { fraction, recordsDone, recordsTotal } })}\n\n`);
}

/** A stream may have closed while its numbers were read; writing to it then would be an error. */
function takesMore(response: ServerResponse): boolean {
  return !(response.destroyed || response.writableEnded || response.writableNeedDrain);
}

function tooMany(slug: 'too-many-streams' | 'too-many-requests'): ProblemError {
  const detail =
    slug === 'too-many-streams' ? 'No further stream can be opened now.' : 'You have too many open streams.';
  return new ProblemError(slug, detail, { headers: { 'Retry-After': '5' } });
}
