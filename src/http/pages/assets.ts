/**
 * The static files of the pages: read once at start, with their compressed twins, and served from memory. The names of
 * scripts and style sheets carry a hash of their content (scripts/build-public.js), so they are kept for a year.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RequestHandler } from 'express';
import { sendAnswer } from '../answer.ts';
import { answerOtherMethod } from '../route.ts';

export interface Assets {
  /** Address of a script or style sheet by its name at the source, as `page.js`. Throws for an unknown one: a bug. */
  address(name: string): string;
  /** Addresses of what a script imports at once, to be fetched together with it. */
  imports(name: string): readonly string[];
  /** The icon as a data URL: small enough to save every page a request. */
  readonly icon: string;
  /** Serves `/assets/*`, `/favicon.svg`, `/favicon.ico` and `/robots.txt`; leaves the rest. */
  readonly handler: RequestHandler;
}

interface Manifest {
  readonly files: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, readonly string[]>>;
}

interface Asset {
  readonly type: string;
  readonly cacheControl: string;
  readonly body: Buffer;
  readonly br: Buffer | undefined;
  readonly gzip: Buffer | undefined;
}

const types: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
};

const yearImmutable = 'public, max-age=31536000, immutable';

/** Reads the built files. Throws when they have not been built: run `npm run build`. */
export function loadAssets(publicDir = fileURLToPath(new URL('../../../public/', import.meta.url))): Assets {
  const assetsDir = join(publicDir, 'assets');
  const manifest = JSON.parse(readFileSync(join(assetsDir, 'manifest.json'), 'utf8')) as Manifest;
  const files = new Map<string, Asset>();
  const present = new Set(readdirSync(assetsDir));
  for (const name of Object.values(manifest.files)) {
    const twin = (suffix: string) =>
      present.has(name + suffix) ? readFileSync(join(assetsDir, name + suffix)) : undefined;
    files.set(`/assets/${name}`, {
      type: types[extname(name)] ?? 'application/octet-stream',
      cacheControl: yearImmutable,
      body: readFileSync(join(assetsDir, name)),
      br: twin('.br'),
      gzip: twin('.gz'),
    });
  }
  for (const [path, name] of [
    ['/favicon.svg', 'favicon.svg'],
    ['/favicon.ico', 'favicon.svg'],
    ['/robots.txt', 'robots.txt'],
  ] as const) {
    files.set(path, {
      type: types[extname(name)] ?? '',
      cacheControl: 'public, max-age=86400',
      body: readFileSync(join(publicDir, name)),
      br: undefined,
      gzip: undefined,
    });
  }

  const address = (name: string) => {
    const hashed = manifest.files[name];
    if (hashed === undefined) throw new Error(`no asset ${name}: run npm run build`);
    return `/assets/${hashed}`;
  };

  return {
    address,
    icon: `data:image/svg+xml,${encodeURIComponent(readFileSync(join(publicDir, 'favicon.svg'), 'utf8').trim())}`,
    imports: (name) => (manifest.imports[name] ?? []).map(address),
    handler(request, response, next) {
      const asset = files.get(request.path);
      if (asset === undefined) return next();
      if (request.method !== 'GET' && request.method !== 'HEAD') {
        return sendAnswer(request, response, answerOtherMethod(request, 'GET, HEAD, OPTIONS'));
      }
      response.set({
        'Content-Type': asset.type,
        'Cache-Control': asset.cacheControl,
        'X-Content-Type-Options': 'nosniff',
        Vary: 'Accept-Encoding',
      });
      const encoding = request.acceptsEncodings('br', 'gzip', 'identity');
      const compressed = encoding === 'br' ? asset.br : encoding === 'gzip' ? asset.gzip : undefined;
      if (compressed !== undefined) response.set('Content-Encoding', String(encoding));
      response.send(compressed ?? asset.body);
    },
  };
}
