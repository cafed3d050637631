/**
 * Several instances of the built program in one installation, each with a port and a folder of its own, as many machines would
 * run them: each can be killed, stopped, frozen and started again while the others go on.
 */
import { eventually } from './eventually.ts';
import { inService, installation } from './modes.ts';
import { createProgramClient, type ProgramClient } from './program-client.ts';
import { type RunningProgram, startProgram } from './running-program.ts';

export interface ClusterOptions {
  /** Default 3. */
  readonly instances?: number;
  /** Settings of every instance on top of those of an installation on the shared services. */
  readonly env?: Readonly<Record<string, string>>;
}

export interface Instance extends RunningProgram {
  readonly user: ProgramClient;
}

export interface Cluster {
  readonly instances: readonly Instance[];
  /** What the instances have in common: for another one, or for a tool that looks at the installation. */
  readonly settings: Readonly<Record<string, string>>;
  /** Resolves when no instance is degraded: each task has an owner, Redis is complete, Kafka is there. */
  inService(timeoutMs?: number): Promise<void>;
  /** Resolves when each visit that was journaled anywhere is in the log. For when no more come. */
  forwarded(timeoutMs?: number): Promise<void>;
  /** Ends what runs and removes the folders. For `afterAll`. */
  dispose(): Promise<void>;
}

/** For `beforeAll`: starts the shared services too when it is the first to use them. */
export const clusterStartTimeoutMs = 240_000;

const readyTimeoutMs = 90_000;

/** Starts them all at once and resolves when they are in service. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const settings = { ...(await installation(6)), ...options.env };
  const cluster = await openCluster(settings, options.instances ?? 3);
  try {
    await cluster.inService();
    return cluster;
  } catch (error) {
    const outputs = cluster.instances.map(({ output }, index) => `instance ${index}:\n${output}`).join('\n');
    await cluster.dispose();
    throw new Error(outputs, { cause: error });
  }
}

async function openCluster(settings: Readonly<Record<string, string>>, count: number): Promise<Cluster> {
  const starts = await Promise.allSettled(
    Array.from({ length: count }, () => startProgram({ env: settings, readyTimeoutMs })),
  );
  const programs = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  const dispose = async () => {
    await Promise.all(programs.map((program) => program.dispose()));
  };
  for (const start of starts) {
    if (start.status === 'fulfilled') continue;
    await dispose();
    throw start.reason;
  }
  const instances: Instance[] = programs.map((program) =>
    Object.assign(Object.create(program) as RunningProgram, { user: createProgramClient(program) }),
  );
  return {
    instances,
    settings,
    async inService(timeoutMs = 120_000) {
      await Promise.all(programs.map((program) => inService(program, timeoutMs)));
    },
    async forwarded(timeoutMs = 120_000) {
      await Promise.all(
        instances.map(({ user, baseUrl }) =>
          eventually(() => isForwarded(user), `the journal of ${baseUrl} is forwarded`, timeoutMs),
        ),
      );
    },
    dispose,
  };
}

async function isForwarded(user: ProgramClient): Promise<boolean> {
  const metrics = await user.api<string>('GET', '/metrics').catch(() => null);
  const numberOf = (name: string) => new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics?.body ?? '')?.[1];
  return numberOf('tallyhop_journal_visits') === '0' && numberOf('tallyhop_journal_backlog_visits') === '0';
}
