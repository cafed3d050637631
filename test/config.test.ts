import { ConfigError, type Environment, parseConfig } from '../src/config.ts';

function problemsOf(environment: Environment): ConfigError {
  try {
    parseConfig(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the settings were accepted');
}

describe('the settings', () => {
  it('have defaults for everything', () => {
    expect(parseConfig({})).toEqual({
      port: 3000,
      host: '127.0.0.1',
      baseUrl: 'http://localhost:3000',
      baseUrlIsDefault: true,
      dataDir: './data',
      codeSecret: null,
      partitions: 1,
      drainMs: 2000,
      shutdownTimeoutMs: 10_000,
      rateLimit: 60,
      missLimit: 120,
      allowPrivateTargets: false,
      visitFsync: 'interval',
      visitRetentionDays: null,
      trustedProxies: { hops: 0 },
      logLevel: 'info',
      distributed: null,
    });
  });

  it('are read from the environment', () => {
    expect(
      parseConfig({
        PORT: '8080',
        HOST: '0.0.0.0',
        BASE_URL: 'https://Go.Example.org/',
        DATA_DIR: '/var/lib/tallyhop',
        CODE_SECRET: 'pV8z2kQm7RxW4tYb',
        PARTITIONS: '16',
        DRAIN_MS: '0',
        SHUTDOWN_TIMEOUT_MS: '5000',
        RATE_LIMIT: 'off',
        MISS_LIMIT: '10',
        ALLOW_PRIVATE_TARGETS: 'on',
        VISIT_FSYNC: 'always',
        VISIT_RETENTION_DAYS: '30',
        TRUSTED_PROXIES: '10.0.0.0/8, fd00::/8,192.0.2.1',
        LOG_LEVEL: 'debug',
      }),
    ).toEqual({
      port: 8080,
      host: '0.0.0.0',
      baseUrl: 'https://go.example.org',
      baseUrlIsDefault: false,
      dataDir: '/var/lib/tallyhop',
      codeSecret: 'pV8z2kQm7RxW4tYb',
      partitions: 16,
      drainMs: 0,
      shutdownTimeoutMs: 5000,
      rateLimit: null,
      missLimit: 10,
      allowPrivateTargets: true,
      visitFsync: 'always',
      visitRetentionDays: 30,
      trustedProxies: { cidrs: ['10.0.0.0/8', 'fd00::/8', '192.0.2.1'] },
      logLevel: 'debug',
      distributed: null,
    });
  });

  it('follow the port in the default origin and take an empty value for none', () => {
    expect(parseConfig({ PORT: '4000', BASE_URL: '', RATE_LIMIT: '' })).toMatchObject({
      baseUrl: 'http://localhost:4000',
      baseUrlIsDefault: true,
      rateLimit: 60,
    });
    expect(parseConfig({ PORT: '80' }).baseUrl).toBe('http://localhost');
  });

  it.each([
    ['PORT', ['0', '65536', '-1', '80.5', 'http', ' 80', '1e3']],
    ['HOST', ['a b', 'http://x']],
    [
      'BASE_URL',
      ['go.example', 'ftp://go.example', 'https://go.example/path', 'https://go.example/?a', 'https://go.example/#a'],
    ],
    ['PARTITIONS', ['0', '257', 'many']],
    ['DRAIN_MS', ['-1', '60001', '2s']],
    ['SHUTDOWN_TIMEOUT_MS', ['99', '2000', 'off']],
    ['RATE_LIMIT', ['0', '-1', 'none', '1000001']],
    ['MISS_LIMIT', ['0', 'OFF', '1.5']],
    ['ALLOW_PRIVATE_TARGETS', ['yes', 'true', '1']],
    ['VISIT_FSYNC', ['on', 'never']],
    ['VISIT_RETENTION_DAYS', ['0', '36501', 'ever']],
    ['TRUSTED_PROXIES', ['true', '100', '10.0.0.0/33', '::/129', '10.0.0.0/8/8', 'localhost', '10.0.0.0/8,', '-1']],
    ['LOG_LEVEL', ['verbose', 'INFO']],
  ])('stop the start when %s is wrong, and say what it was and must be', (name, values) => {
    for (const value of values) {
      const error = problemsOf({ [name]: value });
      expect(error.problems.map((problem) => problem.name)).toEqual([name]);
      expect(error.message).toContain(value.trim());
      expect(error.message).toMatch(/must be [^.]{8,}/);
    }
  });

  it('name every wrong variable at once', () => {
    const error = problemsOf({ PORT: 'x', LOG_LEVEL: 'y', TRUSTED_PROXIES: 'true', MISS_LIMIT: '-' });
    expect(error.problems.map(({ name }) => name).sort()).toEqual([
      'LOG_LEVEL',
      'MISS_LIMIT',
      'PORT',
      'TRUSTED_PROXIES',
    ]);
  });

  it.each([
    '',
    'short',
    'changeme',
    'changeme-changeme',
    'secretsecretsecret',
    'your-secret-goes-here',
    'change-this-secret-please',
    'aaaaaaaaaaaaaaaaaaaa',
    '0123456789abcdef',
    'abababababababababab',
    'default-code-secret',
  ])('refuse the secret %j and never show it (S40)', (secret) => {
    const error = problemsOf({ CODE_SECRET: secret });
    expect(error.problems.map(({ name }) => name)).toEqual(['CODE_SECRET']);
    if (secret !== '') expect(error.message).not.toContain(`"${secret}"`);
    expect(error.problems[0]?.was).toBe(`(not shown, ${secret.length} characters)`);
  });

  describe('of the distributed mode', () => {
    const distributed = {
      KAFKA_BROKERS: 'broker-1:9092, broker-2:9092,[::1]:9093',
      REDIS_URL: 'redis://:hunter2@cache:6379',
      CODE_SECRET: 'kD93-mQz71-vWp04-xLs58',
    };

    it('are all there when both addresses are set', () => {
      expect(parseConfig({ ...distributed, HOST: '10.1.2.3', PORT: '8080' })).toMatchObject({
        partitions: 16,
        distributed: {
          kafka: { brokers: ['broker-1:9092', 'broker-2:9092', '[::1]:9093'], tls: null, sasl: null, topicPrefix: '' },
          redis: { url: 'redis://:hunter2@cache:6379', username: null, password: null, caFile: null },
          roles: { web: true, worker: true },
          advertisedUrl: 'http://10.1.2.3:8080',
          standbys: 1,
        },
      });
    });

    it('are null without the addresses', () => {
      expect(parseConfig({}).distributed).toBeNull();
      expect(parseConfig({ ROLE: 'web', STANDBYS: '2' }).distributed).toBeNull();
    });

    it.each([
      ['ROLE', 'worker', { roles: { web: false, worker: true } }],
      ['ROLE', 'web', { roles: { web: true, worker: false }, linkTable: true }],
      ['ADVERTISED_URL', 'https://one.example:8443', { advertisedUrl: 'https://one.example:8443' }],
      ['JOURNAL_MAX_BYTES', '10737418240', { journalMaxBytes: 10_737_418_240 }],
      ['KAFKA_TLS', 'on', { kafka: { tls: { caFile: null, certFile: null, keyFile: null } } }],
    ])('take %s=%s', (name, value, expected) => {
      expect(parseConfig({ ...distributed, [name]: value }).distributed).toMatchObject(expected);
    });

    it('take LINK_TABLE=off of an instance that only answers', () => {
      expect(parseConfig({ ...distributed, ROLE: 'web', LINK_TABLE: 'off' }).distributed).toMatchObject({
        linkTable: false,
      });
    });

    it('take a user at the brokers', () => {
      const user = { KAFKA_SASL_MECHANISM: 'scram-sha-512', KAFKA_USERNAME: 'tally', KAFKA_PASSWORD: 'hunter2' };
      expect(parseConfig({ ...distributed, ...user }).distributed?.kafka.sasl).toEqual({
        mechanism: 'scram-sha-512',
        username: 'tally',
        password: 'hunter2',
      });
    });

    it.each([
      ['REDIS_URL', { REDIS_URL: '' }],
      ['KAFKA_BROKERS', { KAFKA_BROKERS: '' }],
      ['KAFKA_BROKERS', { KAFKA_BROKERS: 'broker-1' }],
      ['KAFKA_BROKERS', { KAFKA_BROKERS: 'broker-1:99999' }],
      ['REDIS_URL', { REDIS_URL: 'cache:6379' }],
      ['CODE_SECRET', { CODE_SECRET: undefined }],
      ['ROLE', { ROLE: 'reader' }],
      ['LINK_TABLE', { LINK_TABLE: 'off' }],
      ['LINK_TABLE', { LINK_TABLE: 'off', ROLE: 'worker' }],
      ['LINK_TABLE', { LINK_TABLE: 'none' }],
      ['ADVERTISED_URL', { ADVERTISED_URL: 'one.example:8080' }],
      ['STANDBYS', { STANDBYS: '9' }],
      ['KAFKA_TLS', { KAFKA_CA_FILE: '/ca.pem' }],
      ['KAFKA_KEY_FILE', { KAFKA_TLS: 'on', KAFKA_CERT_FILE: '/cert.pem' }],
      ['KAFKA_CERT_FILE', { KAFKA_TLS: 'on', KAFKA_KEY_FILE: '/key.pem' }],
      ['KAFKA_USERNAME', { KAFKA_SASL_MECHANISM: 'plain', KAFKA_PASSWORD: 'hunter2' }],
      ['KAFKA_PASSWORD', { KAFKA_SASL_MECHANISM: 'plain', KAFKA_USERNAME: 'tally' }],
      ['KAFKA_SASL_MECHANISM', { KAFKA_USERNAME: 'tally', KAFKA_PASSWORD: 'hunter2' }],
      ['TOPIC_PREFIX', { TOPIC_PREFIX: 'a b' }],
    ])('are refused by the name of %s: %j', (name, changes) => {
      const error = problemsOf({ ...distributed, ...changes });
      expect(error.problems.map((problem) => problem.name)).toEqual([name]);
      expect(error.message).not.toContain('hunter2');
    });
  });

  it('do not show the password of an origin', () => {
    expect(problemsOf({ BASE_URL: 'https://me:hunter2@go.example' }).message).not.toContain('hunter2');
  });
});
