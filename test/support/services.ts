/** Kafka and Redis for tests: a pair shared by the whole run, and own ones for tests that stop or configure them. */
import { type Services, type StartOptions, startServices } from '../../scripts/services.js';

export type { OwnedBroker, OwnedRedis, Services } from '../../scripts/services.js';

export interface SharedServices {
  /** `host:port` of each broker. */
  readonly kafkaBrokers: readonly string[];
  readonly redisUrl: string;
}

/**
 * One broker and one Redis for all test files of this run, started when the first asks: allow `beforeAll` 60 s. Others use them
 * at the same time: name topics and groups with a {@link topicPrefix} of your own, stop nothing, flush nothing. Who needs Redis
 * to itself starts one, in milliseconds: `startOwnServices({ brokers: 0 })`.
 */
export async function sharedServices(): Promise<SharedServices> {
  const address = process.env['TEST_SERVICES'];
  if (address === undefined) throw new Error('shared services are offered by the global set-up of jest.config.js');
  const answer = await fetch(address);
  const text = await answer.text();
  if (!answer.ok) throw new Error(text);
  return JSON.parse(text) as SharedServices;
}

/** Brokers and Redis of this test alone, whatever `KAFKA_BROKERS` and `REDIS_URL` say. The caller stops them. */
export function startOwnServices(options: Omit<StartOptions, 'own'> = {}): Promise<Services> {
  return startServices({ ...options, own: true });
}

let prefixes = 0;

/** A `TOPIC_PREFIX` that no other test has: two are alike in no run, nor in two runs on the same broker. */
export function topicPrefix(): string {
  prefixes++;
  return `t${process.pid}-${Date.now().toString(36)}-${prefixes}-`;
}
