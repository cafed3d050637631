/**
 * Start and stop of the program: adapters, then the server; and backwards, so that nothing that was answered is lost and no
 * request is refused that a load balancer could still send.
 */
import type { Config } from '../config.ts';
import type { Logger } from '../ports/logger.ts';
import type { Adapters } from './adapters.ts';
import { createWeb } from './web.ts';

export interface RunningProgram {
  readonly port: number;
  /**
   * Readiness off, serve on for `DRAIN_MS` while every answer closes its connection, stop accepting, let running requests end,
   * commit, close. Calling it again skips the waiting.
   */
  stop(): Promise<void>;
}

/** @param open opens the adapters of the mode that was picked */
export async function startProgram(
  config: Config,
  logger: Logger,
  open: (config: Config, logger: Logger) => Promise<Adapters>,
): Promise<RunningProgram> {
  const adapters = await open(config, logger);
  let draining = false;
  let endDraining = (): void => undefined;
  let stopped: Promise<void> | null = null;

  const web = createWeb(config, adapters, () => draining);
  const port = await web.server.listen(config.port, config.host).catch(async (error: unknown) => {
    await adapters.close();
    throw error;
  });
  web.warmUp();
  logger.info({ url: config.baseUrl, port, dataDir: config.dataDir, links: adapters.linkTable.size() }, 'ready');

  async function stopOnce(): Promise<void> {
    draining = true;
    web.server.drain();
    logger.info({ drainMs: config.drainMs }, 'draining');
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, config.drainMs);
      endDraining = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    await web.server.close();
    await adapters.journal.flush();
    await adapters.close();
    logger.info({}, 'stopped');
  }

  return {
    port,
    stop() {
      endDraining();
      stopped ??= stopOnce();
      return stopped;
    },
  };
}
