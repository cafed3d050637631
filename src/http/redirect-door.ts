/**
 * The redirect door: answers `GET|HEAD /:code` in front of Express. A visit is in the journal before its 302 is written
 * to the socket, and what cannot be counted is not redirected. It renders no page: misses are told by `answerMiss`.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Link } from '../domain/link.ts';
import type { Visit } from '../domain/visit.ts';
import type { Clock } from '../ports/clock.ts';
import type { LinkBarrier } from '../ports/link-barrier.ts';
import type { LinkTable } from '../ports/link-table.ts';
import type { Logger } from '../ports/logger.ts';
import type { VisitJournal } from '../ports/visit-journal.ts';
import type { VisitLimits } from '../ports/visit-limits.ts';
import type { FindClientAddress } from './client-address.ts';
import type { AnswerMiss, RedirectMiss } from './redirect-miss.ts';
import { parseRedirectPath, type RedirectPath } from './redirect-path.ts';
import { leaveUnread } from './served-request.ts';
import type { VisitDescription } from './visit-description.ts';

export interface RedirectDoorDeps {
  readonly linkTable: Pick<LinkTable, 'find'>;
  /** Passed before a code is called unknown. */
  readonly barrier: LinkBarrier;
  readonly journal: Pick<VisitJournal, 'append' | 'producerId'>;
  readonly limits: VisitLimits;
  readonly description: Pick<VisitDescription, 'classOf' | 'describe'>;
  /** The journal's form of a visit, valid until the next call. */
  readonly encodeVisit: (visit: Visit) => Uint8Array;
  readonly clientAddress: FindClientAddress;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether a path segment belongs to a route of our own, in any case. */
  readonly isReserved: (code: string) => boolean;
  /** Whether a host with its port, as in a `Host` header, is one of ours. */
  readonly isOwnHost: (host: string | undefined) => boolean;
  /** Takes a miss from a client's allowance: 0 when it had one, else the seconds until it has. */
  readonly missLimiter: { take(limitKey: string): number };
  readonly answerMiss: AnswerMiss;
  /** True from the moment a stop was asked for: then answers end their connections. */
  readonly isDraining: () => boolean;
  /** Called once per answer with what it was and how long it took. Must be cheap and must not throw. */
  readonly observe: (outcome: RedirectOutcome, durationMs: number) => void;
}

export type RedirectOutcome = 'redirected' | RedirectMiss;

/** Takes the request and returns true, or touches nothing and returns false. */
export type RedirectDoor = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Tries to learn how much of a limited link is used before a request is told to come again. */
const seedAttemptsMax = 3;

/** While numbers or links cannot be read, every request for them fails: one line a minute tells as much. */
const warningEveryMs = 60_000;

export function createRedirectDoor(deps: RedirectDoorDeps): RedirectDoor {
  const { linkTable, journal, limits, description, clock } = deps;
  let lastOwnHost: string | undefined;
  let headAnswers = 0;
  let seedWarningMs = Number.NEGATIVE_INFINITY;
  let readingWarningMs = Number.NEGATIVE_INFINITY;

  /** The same few clients send the same Host: the last one that was found ours is compared first. */
  function isOwnHost(host: string | undefined): boolean {
    if (host !== undefined && host === lastOwnHost) return true;
    if (!deps.isOwnHost(host)) return false;
    lastOwnHost = host;
    return true;
  }

  function door(request: IncomingMessage, response: ServerResponse): boolean {
    const { method, url } = request;
    if ((method !== 'GET' && method !== 'HEAD') || url === undefined) return false;
    const target = url.charCodeAt(0) === 0x2f ? null : absoluteForm(url);
    const path = parseRedirectPath(target === null ? url : target.path);
    if (path === null || deps.isReserved(path.code)) return false;
    const startMs = clock.monotonicMs();
    leaveUnread(request);
    if (!isOwnHost(target === null ? request.headers.host : target.host)) {
      miss(request, response, startMs, 'misdirected', undefined);
    } else {
      answer(request, response, startMs, path, 0, false);
    }
    return true;
  }

  function answer(
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    path: RedirectPath,
    seedAttempts: number,
    barrierPassed: boolean,
  ): void {
    const nowMs = clock.nowMs();
    let link: Link | undefined;
    try {
      link = linkTable.find(path.code);
    } catch (error) {
      warnOfReading(error, startMs);
      miss(request, response, startMs, 'unavailable', undefined, 1);
      return;
    }
    if (link === undefined && !barrierPassed) {
      const passing = deps.barrier.pass(path.code);
      if (passing !== null) {
        passAndAnswer(passing, request, response, startMs, path, seedAttempts);
        return;
      }
    }
    const gone = link === undefined ? 'not-found' : whyGone(link, nowMs);
    if (link === undefined || gone !== null) {
      // A code that is gone costs a guesser as much as one that never was, and over the limit both look the same.
      const waitSeconds = deps.missLimiter.take(deps.clientAddress(request).limitKey);
      if (waitSeconds > 0) miss(request, response, startMs, 'too-many-misses', undefined, waitSeconds);
      else miss(request, response, startMs, gone ?? 'not-found', link);
      return;
    }
    if (isOwnTarget(link.url)) {
      miss(request, response, startMs, 'loop', link);
      return;
    }

    const isHead = request.method === 'HEAD';
    const visitClass = description.classOf(request);
    const usesLimit = link.maxVisits !== null && visitClass === 'human' && !isHead;
    const { maxVisits } = link;
    if (maxVisits !== null) {
      // Others than human visitors only ask whether there is something left.
      const next = usesLimit ? 'take' : 'look';
      const answered = limits[next](link.code, maxVisits);
      if (answered === 'seeding') {
        seedAndAnswer(request, response, startMs, path, link, seedAttempts, () =>
          limits.seed(link.code, maxVisits, next),
        );
        return;
      }
      if (answered === 'used-up') {
        miss(request, response, startMs, 'used-up', link);
        return;
      }
    }

    if (isHead) {
      headAnswers += 1;
      redirect(response, startMs, link.url, `${journal.producerId}-head-${headAnswers}`);
      return;
    }
    const { address } = deps.clientAddress(request);
    const visit = description.describe(request, link, visitClass, nowMs, path.query, address);
    journal.append(link.code, deps.encodeVisit(visit), (error, sequence) => {
      if (error === null) {
        redirect(response, startMs, link.url, `${journal.producerId}-${sequence}`);
        return;
      }
      if (usesLimit) limits.giveBack(link.code);
      miss(request, response, startMs, 'unavailable', link, 1);
    });
  }

  /** A link made on another instance a moment ago is in the table afterwards. */
  function passAndAnswer(
    passing: Promise<void>,
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    path: RedirectPath,
    seedAttempts: number,
  ): void {
    passing.then(
      () => answer(request, response, startMs, path, seedAttempts, true),
      (error: unknown) => {
        warnOfReading(error, startMs);
        miss(request, response, startMs, 'unavailable', undefined, 1);
      },
    );
  }

  /** Everything is decided anew afterwards: the link may have changed while its number was asked for. */
  function seedAndAnswer(
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    path: RedirectPath,
    link: Link,
    seedAttempts: number,
    seed: () => Promise<void>,
  ): void {
    if (seedAttempts === seedAttemptsMax) {
      miss(request, response, startMs, 'unavailable', link, 1);
      return;
    }
    seed().then(
      () => answer(request, response, startMs, path, seedAttempts + 1, false),
      (error: unknown) => {
        if (startMs - seedWarningMs >= warningEveryMs) {
          seedWarningMs = startMs;
          deps.logger.warn({ err: error, code: link.code }, 'cannot know how many visits limited links have left');
        }
        miss(request, response, startMs, 'unavailable', link, 1);
      },
    );
  }

  /** A damaged or failing disk, a log that cannot be asked: whether the code has a link cannot be told, so the answer is neither a 404 nor a crash. */
  function warnOfReading(error: unknown, nowMs: number): void {
    if (nowMs - readingWarningMs < warningEveryMs) return;
    readingWarningMs = nowMs;
    deps.logger.error({ err: error }, 'links cannot be read: redirects are answered 503');
  }

  /** Compares the target's host and port, without the dot that may end a host; case and default ports are gone from it. */
  function isOwnTarget(url: string): boolean {
    const hostStart = url.charCodeAt(4) === 0x3a ? 7 : 8;
    const host = url.slice(hostStart, url.indexOf('/', hostStart));
    if (deps.isOwnHost(host)) return true;
    const hasDot = host.charCodeAt(host.length - 1) === 0x2e || host.includes('.:');
    return hasDot && deps.isOwnHost(host.replace(/\.(?=:|$)/, ''));
  }

  function redirect(response: ServerResponse, startMs: number, location: string, requestId: string): void {
    const headers = [
      'Location',
      location,
      'Cache-Control',
      'private, no-store',
      'Content-Length',
      '0',
      'X-Request-Id',
      requestId,
    ];
    if (deps.isDraining()) headers.push('Connection', 'close');
    response.writeHead(302, headers);
    response.end();
    deps.observe('redirected', clock.monotonicMs() - startMs);
  }

  function miss(
    request: IncomingMessage,
    response: ServerResponse,
    startMs: number,
    kind: RedirectMiss,
    link: Link | undefined,
    retryAfterSeconds = 0,
  ): void {
    if (deps.isDraining()) response.setHeader('Connection', 'close');
    deps.answerMiss(request, response, kind, link, retryAfterSeconds);
    deps.observe(kind, clock.monotonicMs() - startMs);
  }

  return door;
}

function whyGone(link: Link, nowMs: number): 'deleted' | 'disabled' | 'expired' | null {
  if (link.deletedAt !== null) return 'deleted';
  if (link.disabled) return 'disabled';
  if (link.expiresAt !== null && link.expiresAt <= nowMs) return 'expired';
  return null;
}

/** `GET http://host/code`, which a server must accept; its host counts, not the header's (RFC 9112 §3.2.2). */
function absoluteForm(url: string): { readonly host: string; readonly path: string } {
  const match = /^https?:\/\/([^/?#]*)(\/.*)$/i.exec(url);
  return { host: match?.[1] ?? '', path: match?.[2] ?? '' };
}
