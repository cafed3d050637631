/** The link that a URL has of its own, found by walking the codes that creation would try. */
import type { Link } from '../domain/link.ts';
import type { LinkIndexes, LinkTable } from '../ports/link-table.ts';

/** The newest link of a URL's own (hash) codes that leads or last led there, deleted ones included; undefined if none. */
export type FindOwnLink = (url: string) => Link | undefined;

export interface FindOwnLinkDependencies {
  readonly linkTable: Pick<LinkTable, 'find'> & Pick<LinkIndexes, 'everLedTo'>;
  /** The URL's own codes in the order of attempts (`ownCodes` with the code secret bound). */
  readonly ownCodes: (url: string) => Iterable<string>;
}

export function createFindOwnLink({ linkTable, ownCodes }: FindOwnLinkDependencies): FindOwnLink {
  return (url) => {
    let newest: Link | undefined;
    for (const code of ownCodes(url)) {
      const link = linkTable.find(code);
      if (link === undefined) break;
      // A code on the walk may be an alias, or another URL's own that came first.
      if (link.kind !== 'own' || !linkTable.everLedTo(link, url)) continue;
      if (newest === undefined || link.ordinal > newest.ordinal) newest = link;
    }
    return newest;
  };
}
