import type { Link } from '../domain/link.ts';

/** The newest link of a URL's own (hash) codes that leads or last led there, deleted ones included; undefined if none. */
export type FindOwnLink = (url: string) => Link | undefined;
