/** The use-cases over one opened set of adapters: the same whatever the mode. */
import { createHmac } from 'node:crypto';
import { deriveKey } from '../adapters/system/derive-key.ts';
import { createLinkCommands } from '../commands/link-commands.ts';
import { type CodeHmac, ownCodes } from '../domain/short-code.ts';
import type { Application } from '../http/application.ts';
import { createFindOwnLink } from '../queries/find-own-link.ts';
import { createGetLink } from '../queries/get-link.ts';
import { createLinkHistory } from '../queries/link-history.ts';
import { createLinkStatistics } from '../queries/link-statistics.ts';
import { createListLinks } from '../queries/list-links.ts';
import type { Adapters } from './adapters.ts';

export function createApplication(adapters: Adapters): Application {
  const { log, linkTable, statistics, answers, clock, random, logger } = adapters;
  const codeKey = deriveKey(adapters.secret, 'short codes');
  const codeHmac: CodeHmac = (data) => createHmac('sha256', codeKey).update(data).digest();
  return {
    commands: createLinkCommands({
      log,
      linkTable,
      clock,
      random,
      codeHmac,
      async isExhausted(link) {
        const { totals } = await statistics.totalsOf([link.code]);
        return link.maxVisits !== null && (totals.get(link.code)?.nonBots ?? 0) >= link.maxVisits;
      },
    }),
    queries: {
      getLink: createGetLink({ linkTable, statistics, clock }),
      listLinks: createListLinks({ linkTable, statistics, clock }),
      linkHistory: createLinkHistory({ linkTable }),
      findOwnLink: createFindOwnLink({ linkTable, ownCodes: (url) => ownCodes(codeHmac, url) }),
      linkStatistics: createLinkStatistics({ statistics, clock }),
    },
    linkTable,
    statistics,
    answers,
    clock,
    random,
    logger,
  };
}
