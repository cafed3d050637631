/** What the application over HTTP is built from: the use-cases, the settings it needs, and the parts that others build. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import type { LinkPatch, NewLink } from '../domain/link-input.ts';
import type { FieldError, Refusal } from '../domain/refusal.ts';
import type { RebuildProgress } from '../ports/statistics-read-model.ts';
import type { Application } from './application.ts';
import type { ClientLimiter } from './client-limiter.ts';
import type { JsonObject } from './json-body.ts';
import type { LiveTotals } from './live-totals.ts';
import type { Metrics } from './metrics.ts';
import type { Problem } from './problem.ts';

export interface AppOptions {
  readonly application: Application;
  readonly parse: InputParsers;
  readonly metrics: Metrics;
  readonly liveTotals: LiveTotals;
  /** Origin of short links and of every URI we write, without a trailing slash. */
  readonly baseUrl: string;
  readonly baseUrlIsDefault: boolean;
  /** Identity of the log, for position tokens. */
  readonly logId: string;
  /** The next offset to be written in a partition of `visits`, asked of the log; `partitions` is their number. */
  readonly visitsLog: { readonly partitions: number; endOffset(partition: number): Promise<number> };
  /** Secret of at least 32 bytes for cursors, the same across restarts. */
  readonly cursorKey: Uint8Array;
  /** Who counts as one client for limits: the address, for IPv6 its /64. The only reader of `X-Forwarded-For`. */
  readonly clientKey: (request: IncomingMessage) => string;
  /** Limits creations, whichever way they come: the pages' form takes from the same one. */
  readonly creationLimiter: ClientLimiter;
  readonly readiness: () => Readiness;
  /** The HTML pages. They answer what is theirs and call `next` for the rest. */
  readonly pages?: RequestHandler;
  /** Tells a problem as a page. Returns false when the client wants JSON (or there is no page): then JSON is sent. */
  readonly problemPage?: (problem: Problem, request: Request, response: Response) => boolean;
  /** The redirect door, for `/:code` inside of Express. */
  readonly door?: Door;
}

/** Answers `GET|HEAD /:code` when the path is a code's, and returns true; else touches nothing and returns false. */
export type Door = (request: IncomingMessage, response: ServerResponse) => boolean;

/** The domain's narrowing of untyped input, with the time and our own host already given to it. */
export interface InputParsers {
  newLink(body: JsonObject): NewLink | InvalidInput;
  linkPatch(body: JsonObject): LinkPatch | InvalidInput;
  /** The alias, or why it cannot be chosen. It does not look whether it is taken. */
  alias(alias: string): string | FieldError;
}

export type InvalidInput = Extract<Refusal, { readonly refusal: 'invalid' }>;

export interface Readiness {
  /** Redirects of known links can be answered. */
  readonly ready: boolean;
  /** By part: `ok`, or one sentence on what is degraded. */
  readonly checks: Readonly<Record<string, string>>;
  readonly rebuild: RebuildProgress | null;
}
