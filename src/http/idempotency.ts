/**
 * `Idempotency-Key`: a request that is sent twice has one effect and one answer, also across `kill -9`. Two layers: the
 * kept answer, and beneath it a command id derived from the key, by which the log knows the command again when the
 * process died between the event and the keeping of its answer.
 */
import { createHash } from 'node:crypto';
import type { AnswerStore, KeptAnswer } from '../ports/answer-store.ts';
import type { Clock } from '../ports/clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { Random } from '../ports/random.ts';
import type { Answer } from './answer.ts';
import { ProblemError, problemAnswer } from './problem.ts';
import { problemOfError } from './problem-table.ts';

export interface Idempotency {
  /**
   * Answers a request through `work`, at most once per key. Without a key `work` simply runs. Final answers are kept:
   * every one below 500 but 429. Throws what `work` throws when that is not final, and the 400 and 422 problems of keys.
   */
  run(request: KeyedRequest, work: (commandId: string) => Promise<Answer>): Promise<Answer>;
}

export interface KeyedRequest {
  /** Value of the header, undefined when there is none. */
  readonly key: string | undefined;
  readonly method: string;
  /** Path without its query. */
  readonly path: string;
  readonly body: Uint8Array;
}

interface Running {
  readonly fingerprint: string;
  /** The final answer, or null when there was none and the request may be tried again. Never rejects. */
  readonly outcome: Promise<Answer | null>;
}

export function createIdempotency(options: {
  readonly answers: AnswerStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly baseUrl: string;
}): Idempotency {
  const { answers, clock, random, logger, baseUrl } = options;
  const runningByKey = new Map<string, Running>();

  const settle = async (request: KeyedRequest, commandId: string, work: (id: string) => Promise<Answer>) => {
    try {
      return await work(commandId);
    } catch (error) {
      const problem = problemOfError(error, '');
      if (!isFinal(problem.status)) throw error;
      return problemAnswer(problem, baseUrl, request.path);
    }
  };

  const keep = async (storeKey: string, fingerprint: string, answer: Answer) => {
    const body = answer.body?.toString() ?? '';
    const kept: KeptAnswer = {
      fingerprint,
      status: answer.status,
      headers: answer.headers,
      body,
      keptAtMs: clock.nowMs(),
    };
    try {
      await answers.keep(storeKey, kept);
    } catch (error) {
      // The effect is in the log and the command id finds it again: a lost answer costs a retry nothing but work.
      logger.warn({ err: error }, 'an answer could not be kept for its idempotency key');
    }
  };

  const runOnce = async (storeKey: string, request: KeyedRequest, fingerprint: string, work: Work) => {
    const kept = await answers.find(storeKey);
    if (kept) {
      if (kept.fingerprint !== fingerprint) throw keyReused();
      return replayed({ status: kept.status, headers: kept.headers, body: kept.body });
    }
    const answer = await settle(request, commandIdOf(storeKey, fingerprint), work);
    if (isFinal(answer.status)) await keep(storeKey, fingerprint, answer);
    return answer;
  };

  return {
    async run(request, work) {
      if (request.key === undefined) return work(random.id());
      const storeKey = storeKeyOf(request.key);
      const fingerprint = fingerprintOf(request);
      for (let running = runningByKey.get(storeKey); running; running = runningByKey.get(storeKey)) {
        if (running.fingerprint !== fingerprint) throw keyReused();
        const answer = await running.outcome;
        if (answer) return replayed(answer);
      }
      const result = runOnce(storeKey, request, fingerprint, work);
      const outcome = result.then(
        (answer) => (isFinal(answer.status) ? answer : null),
        () => null,
      );
      runningByKey.set(storeKey, { fingerprint, outcome });
      try {
        return await result;
      } finally {
        runningByKey.delete(storeKey);
      }
    },
  };
}

type Work = (commandId: string) => Promise<Answer>;

/**
 * The command's identity. The fingerprint is part of it: should the process die before the answer is kept, another
 * request under the same key must not be given the first one's link as its own.
 */
function commandIdOf(storeKey: string, fingerprint: string): string {
  return `key-${hashOf(`command\0${storeKey}\0${fingerprint}`)}`;
}

/** Keys are of any client: who knows another's key can at most read the answer that it was given. */
function storeKeyOf(key: string): string {
  if (/^[\x21-\x7e]{1,255}$/.test(key)) return hashOf(`key\0${key}`);
  throw new ProblemError('malformed-request', 'Idempotency-Key must have 1 to 255 visible ASCII characters.');
}

function fingerprintOf(request: KeyedRequest): string {
  return createHash('sha256').update(`${request.method}\0${request.path}\0`).update(request.body).digest('base64url');
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

function isFinal(status: number): boolean {
  return status < 500 && status !== 429;
}

function replayed(answer: Answer): Answer {
  return { ...answer, headers: { ...answer.headers, 'Idempotency-Replayed': 'true' } };
}

function keyReused(): ProblemError {
  return new ProblemError('idempotency-key-reused', 'This Idempotency-Key was used for another request.');
}
