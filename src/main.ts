/** Entry: reads the settings and runs the mode and the role that they pick. */
import { openEmbedded } from './composition/embedded.ts';
import { leaveThreadsUnbounded } from './composition/heap-bounds.ts';
import { runProgram } from './composition/lifecycle.ts';
import { webRole } from './composition/web-role.ts';
import { type Config, ConfigError, parseConfig } from './config.ts';

const config = readConfig();
leaveThreadsUnbounded();
const { distributed } = config;
if (distributed === null) await runProgram(config, webRole(openEmbedded));
else if (distributed.roles.web && distributed.linkTable) {
  // Its clients would make the start of a single process longer.
  const { openDistributed } = await import('./composition/distributed.ts');
  await runProgram(
    config,
    webRole((_config, logger) => openDistributed(config, distributed, logger)),
  );
} else if (distributed.roles.web) {
  const { openRedirectRole } = await import('./composition/redirect-role.ts');
  await runProgram(config, (_config, logger, isDraining) => openRedirectRole(config, distributed, logger, isDraining));
} else {
  const { openWorkerRole } = await import('./composition/worker-role.ts');
  await runProgram(config, (_config, logger, isDraining) => openWorkerRole(config, distributed, logger, isDraining));
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
