import type { LinkView } from './link-view.ts';

/** The link of a code with its numbers, deleted links included; undefined when there never was one. */
export type GetLink = (code: string) => Promise<LinkView | undefined>;
