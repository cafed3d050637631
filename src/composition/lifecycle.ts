/**
 * Start and stop of the program: what answers, then the server; and backwards, so that nothing that was answered is lost and no
 * request is refused that a load balancer could still send.
 */
import { createPinoLogger } from '../adapters/system/pino-logger.ts';
import { systemRandom } from '../adapters/system/system-random.ts';
import type { Config } from '../config.ts';
import { createHttpServer } from '../http/http-server.ts';
import { createStartingGate } from '../http/starting-gate.ts';
import type { LogFields, Logger } from '../ports/logger.ts';
import type { OpenRole, Role } from './role.ts';

export interface RunningProgram {
  readonly port: number;
  /** Resolves when other requests than redirects are answered too. A rejection means that they never will. */
  readonly loaded: Promise<void>;
  /**
   * Readiness off, serve on for `DRAIN_MS` while every answer closes its connection, stop accepting, let running requests end,
   * commit, close. Calling it again skips the waiting.
   */
  stop(): Promise<void>;
}

/**
 * Runs the program until a signal stops it. Ends the process with 0 after a clean stop, with 1 when it cannot start or when the
 * stop takes longer than `SHUTDOWN_TIMEOUT_MS`: what is journaled is kept in either case.
 * @param open opens what answers requests in the mode and role that were picked
 */
export async function runProgram(config: Config, open: OpenRole): Promise<void> {
  const logger = createPinoLogger({ level: config.logLevel });
  const end = (code: number, fields: LogFields, message: string): never => {
    logger[code === 0 ? 'info' : 'error'](fields, message);
    process.exit(code);
  };
  let program: RunningProgram | null = null;
  const stop = (): void => {
    // Nothing was answered yet, and what is on the disk is meant to be left at any moment.
    if (program === null) end(0, {}, 'stopped while starting');
    const { shutdownTimeoutMs } = config;
    setTimeout(() => end(1, { shutdownTimeoutMs }, 'the stop took too long'), shutdownTimeoutMs).unref();
    program?.stop().then(
      () => end(0, {}, 'stopped'),
      (error: Error) => end(1, { err: error }, 'the stop failed'),
    );
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
  program = await startProgram(config, logger, open).catch((error: Error) =>
    end(1, { err: error }, `cannot start: ${error.message}`),
  );
  program.loaded.catch((error: Error) => end(1, { err: error }, `cannot start: ${error.message}`));
}

/**
 * Opens the adapters and answers requests. One process without services listens when it can answer, within half a second; an
 * instance among many may have to wait for its log, and tells so meanwhile.
 */
export async function startProgram(config: Config, logger: Logger, open: OpenRole): Promise<RunningProgram> {
  let draining = false;
  let endDraining = (): void => undefined;
  let stopped: Promise<void> | null = null;
  let role: Role | null = null;

  const gate = createStartingGate(config.baseUrl);
  const server = createHttpServer({
    ...{ app: gate.app, door: gate.door, baseUrl: config.baseUrl, random: systemRandom },
    liveTotals: { close: () => role?.endStreams() },
  });
  const listensFirst = config.distributed !== null;
  let port = listensFirst ? await server.listen(config.port, config.host) : 0;
  const opened = await open(config, logger, () => draining).catch(async (error: unknown) => {
    if (listensFirst) await server.close();
    throw error;
  });
  role = opened;
  gate.open(opened.door, opened.app);
  if (!listensFirst) {
    port = await server.listen(config.port, config.host).catch(async (error: unknown) => {
      await opened.close();
      throw error;
    });
  }
  const loaded = opened.load().then((fields) => {
    logger.info({ url: config.baseUrl, port, dataDir: config.dataDir, ...fields }, 'ready');
  });

  async function stopOnce(): Promise<void> {
    draining = true;
    server.drain();
    logger.info({ drainMs: config.drainMs }, 'draining');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, config.drainMs);
      endDraining = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    await loaded;
    await server.close();
    await opened.close();
  }

  return {
    port,
    loaded,
    stop() {
      endDraining();
      stopped ??= stopOnce();
      return stopped;
    },
  };
}
