/** Entry: read the settings, open one adapter set, start, stop on a signal. */
import { createPinoLogger } from './adapters/system/pino-logger.ts';
import { openEmbedded } from './composition/embedded.ts';
import { startProgram } from './composition/lifecycle.ts';
import { type Config, ConfigError, parseConfig } from './config.ts';

const config = readConfig();
const logger = createPinoLogger({ level: config.logLevel });

const program = await startProgram(config, logger, openEmbedded).catch((error: Error) => {
  logger.error({ err: error }, `cannot start: ${error.message}`);
  process.exit(1);
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    const giveUp = setTimeout(() => {
      logger.error(
        { shutdownTimeoutMs: config.shutdownTimeoutMs },
        'the stop took too long; what is journaled is kept',
      );
      process.exit(1);
    }, config.shutdownTimeoutMs);
    giveUp.unref();
    program.stop().then(
      () => process.exit(0),
      (error: Error) => {
        logger.error({ err: error }, 'the stop failed; what is journaled is kept');
        process.exit(1);
      },
    );
  });
}

function readConfig(): Config {
  try {
    return parseConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
