/** The headers that every answer behind the redirect door carries. They are the same over plain http and https, but for what http forbids. */
import type { RequestHandler } from 'express';
import helmet from 'helmet';

/** @param baseUrl https there means that the whole site is served so: then HSTS is promised */
export function securityHeaders(baseUrl: string): RequestHandler {
  const https = baseUrl.startsWith('https:');
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        'default-src': ["'none'"],
        'script-src': ["'self'"],
        'style-src': ["'self'"],
        'img-src': ["'self'", 'data:'],
        'connect-src': ["'self'"],
        'form-action': ["'self'"],
        'base-uri': ["'none'"],
        'frame-ancestors': ["'none'"],
      },
    },
    referrerPolicy: { policy: 'strict-origin-when-cross-origin' },
    xFrameOptions: { action: 'deny' },
    strictTransportSecurity: https ? { maxAge: 31_536_000, includeSubDomains: false } : false,
    // Browsers ignore both over plain http and complain about it in their console.
    crossOriginOpenerPolicy: https,
    originAgentCluster: https,
  });
}
