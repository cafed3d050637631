/**
 * The log that the instances share, opened by one of them: makes its topics and checks their settings, waits for Kafka as long as
 * this instance has never seen the log, and remembers it for starts without Kafka.
 */
import { checkTopics, type TopicProblem } from '../adapters/kafka/check-topics.ts';
import { ensureTopics } from '../adapters/kafka/ensure-topics.ts';
import { type KafkaLog, openKafkaLog } from '../adapters/kafka/kafka-log.ts';
import type { KafkaOptions } from '../adapters/kafka/kafka-options.ts';
import { LogUnavailable } from '../ports/event-log.ts';
import { readRememberedLog, rememberLog } from './log-memory.ts';

const waitForKafkaMs = 1_000;
/** Brokers learn of a new topic one after the other. */
const missingTopicsMaxMs = 15_000;

export interface SharedLog {
  readonly log: KafkaLog;
  /** Why Kafka was refused after the log was opened without it, or null. */
  refused(): Error | null;
}

export interface SharedLogOptions {
  readonly kafka: KafkaOptions;
  readonly dataDir: string;
  /** Of topics that are to be made. */
  readonly partitions: number;
  readonly secretFingerprint: string;
}

/** Throws {@link TopicsRefused}, and `LogRefused` when Kafka holds another log or one of another `CODE_SECRET`. */
export async function openSharedLog(options: SharedLogOptions): Promise<SharedLog> {
  const { kafka, dataDir, secretFingerprint } = options;
  const { logger } = kafka;
  let refused: Error | null = null;
  const remembered = readRememberedLog(dataDir);
  const prepared = prepareTopics(kafka, remembered?.partitions ?? options.partitions);
  if (remembered === undefined) await prepared;
  else {
    // Redirects do not wait for Kafka.
    prepared.catch((error: Error) => {
      refused ??= error;
      logger.error({ err: error }, 'the topics are refused: end this instance, mend them, and start it again');
    });
  }
  const log = await openLogPatiently({
    ...{ ...kafka, secretFingerprint, remembered },
    onRefused: (error) => {
      refused = error;
    },
  });
  rememberLog(dataDir, log.remembered);
  return { log, refused: () => refused };
}

/** Topics whose settings would lose or divide something. The message names each setting, what it was and its remedy. */
export class TopicsRefused extends Error {
  override readonly name = 'TopicsRefused';
}

/** Makes missing topics and checks every setting of those that are there. Waits for Kafka. Throws {@link TopicsRefused}. */
async function prepareTopics(kafka: KafkaOptions, partitions: number): Promise<void> {
  const { logger, clock } = kafka;
  const giveUpAtMs = clock.monotonicMs() + missingTopicsMaxMs;
  for (;;) {
    try {
      const made = await ensureTopics(kafka, partitions);
      if (made.length > 0) logger.info({ topics: made, partitions }, 'made the topics that were missing');
      const problems = await checkTopics(kafka, partitions);
      const refusals = problems.filter(({ severity }) => severity === 'error');
      for (const problem of problems)
        if (problem.severity === 'warning') logger.warn({ ...problem }, 'a setting of Kafka is not as it should be');
      // Another instance may just be making it.
      const isComing = refusals.every(({ was }) => was === 'missing') && clock.monotonicMs() < giveUpAtMs;
      if (refusals.length > 0 && isComing) throw new LogUnavailable(refusals.map(inWords).join('\n'));
      if (refusals.length > 0) throw new TopicsRefused(refusals.map(inWords).join('\n'));
      return;
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
      logger.warn({ err: error }, 'the topics cannot be checked yet: waiting for Kafka');
      await new Promise((resolve) => setTimeout(resolve, waitForKafkaMs));
    }
  }
}

function inWords({ topic, setting, was, mustBe, remedy }: TopicProblem): string {
  return `${setting} of ${topic} is ${was}, it must be ${mustBe}: ${remedy}`;
}

/** The first start of an instance may come before Kafka's own. */
async function openLogPatiently(
  options: Omit<Parameters<typeof openKafkaLog>[0], 'remembered'> & {
    readonly remembered: { readonly logId: string; readonly partitions: number } | undefined;
  },
): Promise<KafkaLog> {
  const { remembered, ...others } = options;
  for (;;) {
    try {
      return await openKafkaLog({ ...others, ...(remembered && { remembered }) });
    } catch (error) {
      if (!(error instanceof LogUnavailable)) throw error;
      options.logger.warn({ err: error }, 'Kafka cannot be reached, and this instance has no links yet: waiting');
      await new Promise((resolve) => setTimeout(resolve, waitForKafkaMs));
    }
  }
}
