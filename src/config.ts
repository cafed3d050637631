/** Every setting: name, unit, default, check. The only reader of the environment. */
import { isIP } from 'node:net';

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
  /** Days that visits stay in the log; null = for ever. */
  readonly visitRetentionDays: number | null;
  readonly trustedProxies: TrustedProxies;
  readonly logLevel: string;
  /** Set when `KAFKA_BROKERS` and `REDIS_URL` are: many instances; null = one process without services. */
  readonly distributed: DistributedConfig | null;
}

/** What only the distributed mode asks for. */
export interface DistributedConfig {
  readonly kafka: {
    /** `host:port` of some brokers; the others are learned from them. */
    readonly brokers: readonly string[];
    /** Files in PEM; `ca` null = the system's authorities. Null = without TLS. */
    readonly tls: {
      readonly caFile: string | null;
      readonly certFile: string | null;
      readonly keyFile: string | null;
    } | null;
    readonly sasl: {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512';
      readonly username: string;
      readonly password: string;
    } | null;
    /** In front of every topic's and the group's name. */
    readonly topicPrefix: string;
  };
  readonly redis: {
    readonly url: string;
    readonly username: string | null;
    readonly password: string | null;
    readonly caFile: string | null;
  };
  /** Kept in the log by its fingerprint: every instance must have the same. */
  readonly codeSecret: string;
  readonly roles: { readonly web: boolean; readonly worker: boolean };
  /** False: no links on this disk; each that is asked for is looked up at Redis or an instance that has them. */
  readonly linkTable: boolean;
  /** Where the other instances reach this one: an origin. */
  readonly advertisedUrl: string;
  /** Warm copies of each task. */
  readonly standbys: number;
  /** Bound of what is journaled and not yet shipped. */
  readonly journalMaxBytes: number;
}

/** How many proxies stand in front, or which networks they come from. Never guessed. */
export type TrustedProxies = { readonly hops: number } | { readonly cidrs: readonly string[] };

/** Names of variables and their values, as `process.env` holds them. An empty value counts as not given, but for a secret. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** One variable that stops the start. `was` never shows a secret. */
export interface ConfigProblem {
  readonly name: string;
  readonly was: string;
  readonly mustBe: string;
}

/** The environment cannot be used. Print the message and stop: it names every wrong variable. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    const lines = problems.map(({ name, was, mustBe }) => `  ${name} is ${was}; it must be ${mustBe}.`);
    super(`the settings cannot be used:\n${lines.join('\n')}`);
    this.problems = problems;
  }
}

const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'];

/** Reads every setting or throws {@link ConfigError} with all that is wrong. */
export function parseConfig(environment: Environment = process.env): Config {
  const problems: ConfigProblem[] = [];

  function refuse(name: string, mustBe: string, was = shown(environment[name])): void {
    problems.push({ name, was, mustBe });
  }

  function integer(name: string, fallback: number, min: number, max: number): number {
    const given = environment[name];
    if (!given) return fallback;
    const value = /^\d{1,16}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= min && value <= max) return value;
    refuse(name, `a whole number from ${min} to ${max}`);
    return fallback;
  }

  function integerOrOff(name: string, fallback: number | null, max: number): number | null {
    const given = environment[name];
    if (!given) return fallback;
    if (given === 'off') return null;
    const value = /^\d{1,10}$/.test(given) ? Number(given) : Number.NaN;
    if (value >= 1 && value <= max) return value;
    refuse(name, `"off" or a whole number from 1 to ${max}`);
    return fallback;
  }

  function oneOf<Choice extends string>(name: string, fallback: Choice, choices: readonly Choice[]): Choice {
    const given = environment[name];
    if (!given) return fallback;
    const choice = choices.find((candidate) => candidate === given);
    if (choice !== undefined) return choice;
    refuse(name, `one of ${choices.join(', ')}`);
    return fallback;
  }

  function baseUrl(port: number): string {
    const given = environment['BASE_URL'];
    if (!given) return port === 80 ? 'http://localhost' : `http://localhost:${port}`;
    if (isOrigin(given)) return new URL(given).origin;
    const was = given.includes('@') ? '(not shown, it may hold a password)' : shown(given);
    refuse('BASE_URL', 'an http or https origin such as https://go.example.org, without a path', was);
    return '';
  }

  function codeSecret(): string | null {
    const given = environment['CODE_SECRET'];
    if (given === undefined) return null;
    const was = `(not shown, ${given.length} characters)`;
    if (given.length < 16) refuse('CODE_SECRET', 'at least 16 characters long, or not set at all', was);
    else if (isGuessable(given)) refuse('CODE_SECRET', 'random, not a well-known or repeated word', was);
    return given;
  }

  function trustedProxies(): TrustedProxies {
    const given = environment['TRUSTED_PROXIES'];
    if (!given) return { hops: 0 };
    if (/^\d{1,2}$/.test(given)) return { hops: Number(given) };
    const cidrs = given.split(',').map((entry) => entry.trim());
    if (cidrs.every(isCidr)) return { cidrs };
    refuse('TRUSTED_PROXIES', 'a count from 0 to 99 or a list of networks such as 10.0.0.0/8,fd00::/8');
    return { hops: 0 };
  }

  const isDistributed = Boolean(environment['KAFKA_BROKERS'] && environment['REDIS_URL']);

  /** Reads every setting of the distributed mode, whether it is on or not: what is set and cannot take effect is refused. */
  function distributedConfig(host: string, port: number, secret: string | null): DistributedConfig | null {
    const asked = environment['KAFKA_BROKERS'] || environment['REDIS_URL'];
    const text = (name: string): string | null => environment[name] || null;
    const brokers = (text('KAFKA_BROKERS') ?? '').split(',').map((broker) => broker.trim());
    const tls = oneOf('KAFKA_TLS', 'off', ['on', 'off']) === 'on';
    const tlsFiles = {
      caFile: text('KAFKA_CA_FILE'),
      certFile: text('KAFKA_CERT_FILE'),
      keyFile: text('KAFKA_KEY_FILE'),
    };
    const mechanism = oneOf('KAFKA_SASL_MECHANISM', 'off', ['off', 'plain', 'scram-sha-256', 'scram-sha-512']);
    const [username, password] = [text('KAFKA_USERNAME'), text('KAFKA_PASSWORD')];
    const topicPrefix = text('TOPIC_PREFIX') ?? '';
    const redisUrl = text('REDIS_URL') ?? '';
    const redis = { username: text('REDIS_USERNAME'), password: text('REDIS_PASSWORD'), caFile: text('REDIS_CA_FILE') };
    const advertised = text('ADVERTISED_URL');
    const standbys = integer('STANDBYS', 1, 0, 8);
    const journalMaxBytes = integer('JOURNAL_MAX_BYTES', 8_589_934_592, 1_048_576, Number.MAX_SAFE_INTEGER);
    const role = oneOf('ROLE', 'web,worker', ['web,worker', 'worker,web', 'web', 'worker']);
    const linkTable = oneOf('LINK_TABLE', 'on', ['on', 'off']) === 'on';
    if (!asked) return null;

    for (const name of ['KAFKA_BROKERS', 'REDIS_URL']) {
      if (!environment[name]) refuse(name, 'set too: the distributed mode needs both, the embedded one neither');
    }
    if (environment['KAFKA_BROKERS'] && !brokers.every((broker) => isHostAndPort(broker))) {
      refuse('KAFKA_BROKERS', 'a list of host:port such as broker-1:9092,broker-2:9092');
    }
    if (!tls && (tlsFiles.caFile ?? tlsFiles.certFile ?? tlsFiles.keyFile) !== null) {
      refuse('KAFKA_TLS', '"on" when KAFKA_CA_FILE, KAFKA_CERT_FILE or KAFKA_KEY_FILE is set');
    }
    if ((tlsFiles.certFile === null) !== (tlsFiles.keyFile === null)) {
      refuse(
        tlsFiles.certFile === null ? 'KAFKA_CERT_FILE' : 'KAFKA_KEY_FILE',
        'set together with the other of the pair',
      );
    }
    if (mechanism !== 'off' && username === null) refuse('KAFKA_USERNAME', 'set when KAFKA_SASL_MECHANISM is');
    if (mechanism !== 'off' && password === null)
      refuse('KAFKA_PASSWORD', 'set when KAFKA_SASL_MECHANISM is', 'not set');
    if (mechanism === 'off' && (username ?? password) !== null) {
      refuse('KAFKA_SASL_MECHANISM', 'set when KAFKA_USERNAME or KAFKA_PASSWORD is');
    }
    if (redisUrl !== '' && !isRedisUrl(redisUrl)) {
      refuse(
        'REDIS_URL',
        'a URL such as redis://cache:6379 or rediss://cache:6379',
        '(not shown, it may hold a password)',
      );
    }
    if (!/^[A-Za-z0-9._-]{0,64}$/.test(topicPrefix))
      refuse('TOPIC_PREFIX', 'up to 64 letters, digits, dots, dashes or underscores');
    if (secret === null) {
      refuse(
        'CODE_SECRET',
        'set, to the same value on every instance: codes and keys between instances are derived from it',
        'not set',
      );
    }
    if (!linkTable && role !== 'web') refuse('LINK_TABLE', '"on" unless ROLE is web');
    const advertisedUrl = advertised ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
    if (!isOrigin(advertisedUrl))
      refuse('ADVERTISED_URL', 'an http or https origin where the other instances reach this one');
    return {
      kafka: {
        brokers,
        tls: tls ? tlsFiles : null,
        sasl:
          mechanism === 'off' || username === null || password === null
            ? null
            : { mechanism: mechanism as 'plain' | 'scram-sha-256' | 'scram-sha-512', username, password },
        topicPrefix,
      },
      redis: { url: redisUrl, ...redis },
      codeSecret: secret ?? '',
      linkTable,
      roles: { web: role.includes('web'), worker: role.includes('worker') },
      advertisedUrl: isOrigin(advertisedUrl) ? new URL(advertisedUrl).origin : '',
      standbys,
      journalMaxBytes,
    };
  }

  const port = integer('PORT', 3000, 1, 65_535);
  const drainMs = integer('DRAIN_MS', 2_000, 0, 60_000);
  const shutdownTimeoutMs = integer('SHUTDOWN_TIMEOUT_MS', 10_000, 100, 120_000);
  if (shutdownTimeoutMs <= drainMs) {
    refuse('SHUTDOWN_TIMEOUT_MS', `more than DRAIN_MS (${drainMs})`, String(shutdownTimeoutMs));
  }

  const host = environment['HOST'] || '127.0.0.1';
  const secret = codeSecret();
  const distributed = distributedConfig(host, port, secret);
  const config: Config = {
    port,
    host,
    baseUrl: baseUrl(port),
    baseUrlIsDefault: !environment['BASE_URL'],
    dataDir: environment['DATA_DIR'] || './data',
    codeSecret: secret,
    partitions: integer('PARTITIONS', isDistributed ? 16 : 1, 1, 256),
    drainMs,
    shutdownTimeoutMs,
    rateLimit: integerOrOff('RATE_LIMIT', 60, 1_000_000),
    missLimit: integerOrOff('MISS_LIMIT', 120, 1_000_000),
    allowPrivateTargets: oneOf('ALLOW_PRIVATE_TARGETS', 'off', ['on', 'off']) === 'on',
    visitFsync: oneOf('VISIT_FSYNC', 'interval', ['off', 'interval', 'always']),
    visitRetentionDays: integerOrOff('VISIT_RETENTION_DAYS', null, 36_500),
    trustedProxies: trustedProxies(),
    logLevel: oneOf('LOG_LEVEL', 'info', logLevels),
    distributed: isDistributed ? distributed : null,
  };
  if (/[\s/]/.test(config.host)) refuse('HOST', 'an address or name to listen on, such as 127.0.0.1 or 0.0.0.0');
  if (config.dataDir.includes('\0')) refuse('DATA_DIR', 'the path of a folder');
  if (problems.length > 0) throw new ConfigError(problems);
  return config;
}

function shown(value: string | undefined): string {
  if (value === undefined) return 'not set';
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}

function isOrigin(given: string): boolean {
  const url = URL.canParse(given) ? new URL(given) : null;
  return (
    url !== null &&
    (url.protocol === 'http:' || url.protocol === 'https:') &&
    `${url.username}${url.password}${url.search}${url.hash}` === '' &&
    url.pathname === '/'
  );
}

function isHostAndPort(given: string): boolean {
  const [, port] = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(\d{1,5})$/.exec(given) ?? [];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
}

function isRedisUrl(given: string): boolean {
  const url = URL.canParse(given) ? new URL(given) : null;
  return url !== null && (url.protocol === 'redis:' || url.protocol === 'rediss:') && url.hostname !== '';
}

function isCidr(entry: string): boolean {
  const [address = '', prefix, ...rest] = entry.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

const guessableWords =
  /change|this|goes|some|random|string|very|long|secret|password|passwd|default|example|insert|please|replace|your|here|code|token|admin|test|demo|tallyhop|qwerty|0?123456(?:789)?0?|abcdef|me|my|key/g;

/** What stands in a manual or under a finger: well-known words and runs, or fewer than six different characters. */
function isGuessable(secret: string): boolean {
  const letters = secret.toLowerCase().replace(/[^a-z0-9]/g, '');
  return new Set(secret).size < 6 || letters.replace(guessableWords, '').length < 4;
}
