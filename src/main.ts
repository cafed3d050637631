/** Entry: reads the settings and runs the mode that they pick. */
import { openEmbedded } from './composition/embedded.ts';
import { runProgram } from './composition/lifecycle.ts';
import { type Config, ConfigError, parseConfig } from './config.ts';

await runProgram(readConfig(), openEmbedded);

function readConfig(): Config {
  try {
    return parseConfig();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}
