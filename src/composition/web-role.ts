/** The role of answering the public, over the adapters of either mode. */
import type { Config } from '../config.ts';
import type { Logger } from '../ports/logger.ts';
import type { Adapters } from './adapters.ts';
import type { OpenRole } from './role.ts';
import { createWeb } from './web.ts';

export type OpenAdapters = (config: Config, logger: Logger) => Promise<Adapters>;

export function webRole(open: OpenAdapters): OpenRole {
  return async (config, logger, isDraining) => {
    const adapters = await open(config, logger);
    const { door, app, liveTotals, load } = createWeb(config, adapters, isDraining);
    return {
      door,
      app,
      endStreams: () => liveTotals.close(),
      async load() {
        await load();
        return { links: adapters.linkTable.size() };
      },
      async close() {
        await adapters.journal.flush();
        await adapters.close();
      },
    };
  };
}
