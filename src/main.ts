/** Entry: reads the settings and runs the mode that they pick. */
import { openEmbedded } from './composition/embedded.ts';
import { runProgram } from './composition/lifecycle.ts';
import { type Config, ConfigError, parseConfig } from './config.ts';

const config = readConfig();
if (config.distributed !== null) {
  console.error('KAFKA_BROKERS and REDIS_URL are set, but this build runs as one process only.');
  process.exit(1);
}
await runProgram(config, openEmbedded);

function readConfig(): Config {
  try {
    return parseConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
