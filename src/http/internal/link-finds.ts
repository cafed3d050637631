/**
 * Links for instances that have none of their own: the route, and both directions of its JSON. That there is no link is only
 * said behind the barrier, so who asks may answer 404.
 */
import type { Link } from '../../domain/link.ts';
import { codePattern } from '../../domain/visit-bounds.ts';
import type { LinkBarrier } from '../../ports/link-barrier.ts';
import type { LinkTable } from '../../ports/link-table.ts';
import { decodeLinkRow, encodeLinkRow } from '../../serde/link-row.ts';
import { InternalRefusal, type InternalRoute } from './internal-door.ts';

export const linkFindsPath = '/internal/v1/links/find';

export interface LinkFindsOptions {
  readonly linkTable: Pick<LinkTable, 'find'>;
  readonly barrier: LinkBarrier;
  /** Called with each link that was asked for: it will be asked for again. */
  readonly onFound: (link: Link) => void;
}

export function linkFindsRoute({ linkTable, barrier, onFound }: LinkFindsOptions): InternalRoute {
  return {
    path: linkFindsPath,
    bodyLimitBytes: 1024,
    async answer(body) {
      const code = (body as { readonly code?: unknown } | null)?.code;
      if (typeof code !== 'string' || !codePattern.test(code))
        throw new InternalRefusal(400, 'The body names no code.');
      if (linkTable.find(code) === undefined) await barrier.pass(code);
      const link = linkTable.find(code);
      if (link !== undefined) onFound(link);
      return { link: link === undefined ? null : encodeLinkRow(link) };
    },
  };
}

/** Undefined when it is no answer; null when there is no such link. The link's place in lists does not travel. */
export function parseFoundLink(body: unknown, code: string): Link | null | undefined {
  const row = (body as { readonly link?: unknown } | null)?.link;
  if (row === null) return null;
  if (typeof row !== 'string') return undefined;
  const link = decodeLinkRow(0, row);
  return link.code === code ? link : undefined;
}
