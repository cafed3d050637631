/** Sends a page: its security headers, compression, and the language that was asked for as a cookie. */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import type { Request, Response } from 'express';
import type { Html } from './html.ts';
import { isLanguage } from './messages/messages.ts';

/** Nothing but our own files; no inline script, style or handler anywhere (docs of the directives: CSP Level 3). */
const contentSecurityPolicy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

export const pageHeaders: Readonly<Record<string, string>> = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': contentSecurityPolicy,
  'Cache-Control': 'no-cache',
  'Referrer-Policy': 'strict-origin-when-cross-origin',
  'X-Content-Type-Options': 'nosniff',
  Vary: 'Accept, Accept-Encoding, Accept-Language, Cookie',
};

const brotli = promisify(brotliCompress);
const gzipped = promisify(gzip);
/** Below this, headers weigh more than compression saves. */
const compressFromBytes = 1024;

export async function sendPage(request: Request, response: Response, status: number, page: Html): Promise<void> {
  response.status(status).set(pageHeaders);
  const asked = new URLSearchParams(request.originalUrl.split('?')[1] ?? '').get('lang');
  if (isLanguage(asked)) response.append('Set-Cookie', `lang=${asked}; Path=/; Max-Age=31536000; SameSite=Lax`);
  const body = Buffer.from(page.toString());
  const encoding = body.length < compressFromBytes ? 'identity' : request.acceptsEncodings('br', 'gzip', 'identity');
  if (encoding === 'br') {
    response.set('Content-Encoding', 'br');
    response.send(await brotli(body, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } }));
  } else if (encoding === 'gzip') {
    response.set('Content-Encoding', 'gzip');
    response.send(await gzipped(body));
  } else {
    response.send(body);
  }
}

/** Whether a client asks for HTML, and does not name JSON before it. One that takes anything (any type) does not ask. */
export function prefersHtml(accept: string | undefined): boolean {
  return (
    firstPlaceOf(/text\/html|application\/xhtml\+xml/, accept) < firstPlaceOf(/application\/(problem\+)?json/, accept)
  );
}

/** Whether a client names JSON, and does not name HTML before it. */
export function prefersJson(accept: string | undefined): boolean {
  return (
    firstPlaceOf(/application\/(problem\+)?json/, accept) < firstPlaceOf(/text\/html|application\/xhtml\+xml/, accept)
  );
}

function firstPlaceOf(type: RegExp, accept: string | undefined): number {
  const place = (accept ?? '').toLowerCase().search(type);
  return place === -1 ? Number.POSITIVE_INFINITY : place;
}
