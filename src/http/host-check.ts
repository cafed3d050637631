/**
 * Whose names we answer to: the host of `BASE_URL` and, while that is only the default, this machine's own names. It
 * ends DNS rebinding and poisoned caches: nothing is ever built from a Host header.
 */
import type { NextFunction, Request, Response } from 'express';
import { ProblemError } from './problem.ts';

export interface OwnOrigins {
  /** Whether the `Host` header names us. One look-up: also asked in front of the redirect door. */
  isOwnHost(host: string | undefined): boolean;
  /** Whether an `Origin` header names us. */
  isOwnOrigin(origin: string): boolean;
}

export function createOwnOrigins(options: {
  readonly baseUrl: string;
  readonly baseUrlIsDefault: boolean;
}): OwnOrigins {
  const base = new URL(options.baseUrl);
  const names = options.baseUrlIsDefault ? ['localhost', '127.0.0.1', '[::1]', base.hostname] : [base.hostname];
  const defaultPort = base.protocol === 'https:' ? '443' : '80';
  const hosts = new Set<string>();
  const origins = new Set<string>();
  for (const name of names) {
    const host = base.port === '' ? name : `${name}:${base.port}`;
    hosts.add(host);
    if (base.port === '') hosts.add(`${name}:${defaultPort}`);
    origins.add(`${base.protocol}//${host}`);
  }
  const lengths = new Set(Array.from(hosts, (host) => host.length));
  return {
    // By its length first: redirects ask for the hosts of their targets, hardly any of which is as long as a name of ours.
    isOwnHost: (host) => host !== undefined && lengths.has(host.length) && hosts.has(host.toLowerCase()),
    isOwnOrigin: (origin) => origins.has(origin.toLowerCase()),
  };
}

/** Paths that a probe asks by address: they tell nothing that depends on the host. */
const pathsUnderAnyHost = new Set(['/livez', '/readyz', '/metrics']);

/**
 * The host that is asked: of the target when it is in absolute form, which then counts more than the header (RFC 9112
 * §3.2.2). The target is brought to the form that the routes know.
 */
function hostOf(request: Request): string | undefined {
  if (!/^https?:/i.test(request.url) || !URL.canParse(request.url)) return request.headers.host;
  const { host, pathname, search } = new URL(request.url);
  request.url = `${pathname}${search}`;
  return host;
}

/** Refuses a request for another host with 421, one without or with several `Host` headers with 400. */
export function hostCheck(origins: OwnOrigins) {
  return (request: Request, _response: Response, next: NextFunction): void => {
    const host = hostOf(request);
    const hostHeaders = request.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === 'host');
    if (hostHeaders.length > 1 || (host === undefined && request.httpVersion !== '1.0')) {
      throw new ProblemError('malformed-request', 'A request carries one Host header.', {
        headers: { Connection: 'close' },
      });
    }
    if (!pathsUnderAnyHost.has(request.path) && !origins.isOwnHost(host)) {
      throw new ProblemError('misdirected-request', 'The Host of this request is not served here.');
    }
    next();
  };
}
