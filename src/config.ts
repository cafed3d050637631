/** Every setting: name, unit, default, check. The only reader of the environment. */
export interface Config {
  readonly port: number;
  readonly host: string;
  /** Origin of short links, without a trailing slash. */
  readonly baseUrl: string;
  /** True when `BASE_URL` was not given: then localhost, 127.0.0.1 and [::1] with the port are our own hosts too. */
  readonly baseUrlIsDefault: boolean;
  readonly dataDir: string;
  readonly codeSecret: string | null;
  readonly partitions: number;
  readonly drainMs: number;
  readonly shutdownTimeoutMs: number;
  /** Creations a minute and client; null = off. */
  readonly rateLimit: number | null;
  /** Unknown codes a minute and client; null = off. */
  readonly missLimit: number | null;
  readonly allowPrivateTargets: boolean;
  readonly visitFsync: 'off' | 'interval' | 'always';
  readonly trustedProxies: TrustedProxies;
  readonly logLevel: string;
}

/** How many proxies stand in front, or which networks they come from. Never guessed. */
export type TrustedProxies = { readonly hops: number } | { readonly cidrs: readonly string[] };
