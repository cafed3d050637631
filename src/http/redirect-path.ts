/** Takes a short link's path apart by hand: parsing it as a URL would cost more than all the rest of a redirect. */

export interface RedirectPath {
  readonly code: string;
  /** Without `?`; empty when there is none. */
  readonly query: string;
}

const codeLengthMax = 64;

/** Whether a character may stand in a code, by its number. */
const inCode = new Uint8Array(128);
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-') {
  inCode[character.charCodeAt(0)] = 1;
}

const slash = 0x2f;
const questionMark = 0x3f;

/** `/code` or `/code/`, with or without a query; null for every other path. Nothing is decoded: `%61bc` is no code. */
export function parseRedirectPath(url: string): RedirectPath | null {
  if (url.charCodeAt(0) !== slash) return null;
  let end = 1;
  while (end < url.length && inCode[url.charCodeAt(end)] === 1) end++;
  if (end === 1 || end - 1 > codeLengthMax) return null;
  const afterSlash = url.charCodeAt(end) === slash ? end + 1 : end;
  if (afterSlash === url.length) return { code: url.slice(1, end), query: '' };
  if (url.charCodeAt(afterSlash) !== questionMark) return null;
  return { code: url.slice(1, end), query: url.slice(afterSlash + 1) };
}
