/** The list while the statistics cannot be read: the same links in order of creation, as if none had a visit. */
import type { Clock } from '../../ports/clock.ts';
import type { LinkTable } from '../../ports/link-table.ts';
import { createListLinks, type ListLinks } from '../../queries/list-links.ts';

/** The numbers it gives are not to be shown. */
export function createListWithoutNumbers(linkTable: LinkTable, clock: Clock): ListLinks {
  const position = { partitions: [] };
  const list = createListLinks({
    // Codes alone are walked through only to sort by numbers.
    linkTable: { find: linkTable.find, scan: linkTable.scan, scanCodes: async () => [] },
    statistics: {
      totalsOf: async () => ({ totals: new Map(), position }),
      everyTotal: async () => new Map(),
      highest: async () => null,
    },
    clock,
  });
  return ({ after, sort, ...query }) =>
    list({ ...query, ...(sort === 'createdAt' && after !== undefined && { after }), sort: 'createdAt' });
}
