/**
 * Stands in for the Express application while its modules are loaded, which takes longer than all else at a start: redirects
 * are answered by the door meanwhile, and other requests wait here for the moment until the application is there.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';

export interface LateApplication {
  readonly listener: RequestListener;
  /** Hands over what has come so far, in order, and everything that comes from now on. */
  arrive(application: RequestListener): void;
}

/** Beyond this many waiting requests, connections are closed unanswered. */
const waitingMax = 10_000;

export function createLateApplication(): LateApplication {
  const waiting: [IncomingMessage, ServerResponse][] = [];
  let application: RequestListener | null = null;
  return {
    listener(request, response) {
      if (application !== null) application(request, response);
      else if (waiting.length < waitingMax) waiting.push([request, response]);
      else request.destroy();
    },
    arrive(arrived) {
      application = arrived;
      for (const [request, response] of waiting.splice(0)) arrived(request, response);
    },
  };
}
