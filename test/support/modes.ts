/** The two modes of the program, so that one scenario runs in both: by itself, and on a Kafka and a Redis that tests share. */
import { eventually } from './eventually.ts';
import { type ProgramOptions, type RunningProgram, startProgram } from './running-program.ts';
import { sharedServices, topicPrefix } from './services.ts';

export type Mode = 'embedded' | 'distributed';

export const modes: readonly Mode[] = ['embedded', 'distributed'];

/** The first program of a run waits for the brokers too. For `beforeAll`. */
export const modeStartTimeoutMs = 120_000;

/** Settings of instances that belong together: each call is an installation of its own. */
export async function installation(partitions = 3): Promise<Readonly<Record<string, string>>> {
  const { kafkaBrokers, redisUrl } = await sharedServices();
  return {
    KAFKA_BROKERS: kafkaBrokers.join(','),
    REDIS_URL: redisUrl,
    TOPIC_PREFIX: topicPrefix(),
    CODE_SECRET: 'kD93-mQz71-vWp04-xLs58',
    PARTITIONS: String(partitions),
  };
}

/** One program in the mode that is asked for, alone in its installation. */
export async function startProgramIn(mode: Mode, options: ProgramOptions = {}): Promise<RunningProgram> {
  if (mode === 'embedded') return startProgram(options);
  const program = await startProgram({
    readyTimeoutMs: 60_000,
    ...options,
    env: { ...(await installation()), ...options.env },
  });
  await inService(program);
  return program;
}

/** Resolves when nothing is degraded: every task has an owner, and Redis follows it. */
export async function inService(program: RunningProgram, timeoutMs = 60_000): Promise<void> {
  await eventually(
    async () => {
      const answer = await fetch(`${program.baseUrl}/readyz`).catch(() => null);
      const body = (await answer?.json()) as { readonly status?: string } | undefined;
      return body?.status === 'ok';
    },
    `nothing is degraded at ${program.baseUrl}`,
    timeoutMs,
  );
}
