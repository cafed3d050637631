/** What the application over HTTP is built from: the use-cases, the settings it needs, and the parts that others build. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Request, RequestHandler, Response } from 'express';
import type { LinkPatch, NewLink } from '../domain/link-input.ts';
import type { FieldError, Refusal } from '../domain/refusal.ts';
import type { LinkBarrier } from '../ports/link-barrier.ts';
import type { RebuildProgress } from '../ports/statistics-read-model.ts';
import type { Application } from './application.ts';
import type { JsonObject } from './json-body.ts';
import type { CreationLimit } from './limit-creations.ts';
import type { LiveTotals } from './live-totals.ts';
import type { Metrics } from './metrics.ts';
import type { ProblemError } from './problem.ts';

export interface AppOptions extends CreationLimit {
  readonly application: Application;
  readonly parse: InputParsers;
  /** Passed before a code is called unknown. */
  readonly barrier: LinkBarrier;
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
  readonly readiness: () => Readiness;
  /** The HTML pages. They answer what is theirs and call `next` for the rest. */
  readonly pages?: RequestHandler;
  /** Tells a problem as a page. Returns false when the client wants JSON: then JSON is sent. */
  readonly problemPage?: (problem: ProblemError, request: Request, response: Response) => boolean;
  /** What the redirect door found for a request that it handed on. */
  readonly problemOfMiss?: (request: IncomingMessage) => ProblemError | undefined;
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
