/** Brokers that ask for a user and a password, by each mechanism of the settings: the whole program works, and a wrong password is told. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { kafkaToolCommand } from '../../scripts/services.js';
import { inService, installation } from '../support/modes.ts';
import { createProgramClient } from '../support/program-client.ts';
import { startProgram } from '../support/running-program.ts';
import { type Services, startOwnServices } from '../support/services.ts';

const user = { KAFKA_USERNAME: 'tally', KAFKA_PASSWORD: 'correct horse' };
const mechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;

describe('brokers that ask for a password', () => {
  let services: Services;
  let settings: Readonly<Record<string, string>>;

  beforeAll(async () => {
    const module = 'org.apache.kafka.common.security';
    const scram = `${module}.scram.ScramLoginModule required;`;
    services = await startOwnServices({
      kafkaProperties: {
        'listener.security.protocol.map': 'CLIENT:SASL_PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
        'listener.name.client.plain.sasl.jaas.config': `${module}.plain.PlainLoginModule required user_tally="${user.KAFKA_PASSWORD}";`,
        'listener.name.client.scram-sha-256.sasl.jaas.config': scram,
        'listener.name.client.scram-sha-512.sasl.jaas.config': scram,
      },
    });
    const broker = services.brokers[0];
    if (broker === undefined) throw new Error('it was started');
    const tool = `${kafkaToolCommand('kafka.admin.ConfigCommand')} --bootstrap-server 127.0.0.1:${broker.internalPort}`;
    const whose = `--entity-type users --entity-name ${user.KAFKA_USERNAME}`;
    // One at a time: the brokers refuse two for one user in the same request.
    for (const mechanism of ['SCRAM-SHA-256', 'SCRAM-SHA-512']) {
      const secret = `--alter --add-config '${mechanism}=[password=${user.KAFKA_PASSWORD}]'`;
      await promisify(execFile)('sh', ['-c', `exec ${tool} ${secret} ${whose}`]);
    }
    const { kafkaBrokers, redisUrl } = services;
    const own = { KAFKA_BROKERS: kafkaBrokers.join(','), REDIS_URL: redisUrl };
    settings = { ...(await installation()), ...own, ...user };
  }, 180_000);

  afterAll(() => services?.stop());

  it.each(mechanisms)(
    'lets in who knows it: %s',
    async (mechanism) => {
      const env = { ...settings, TOPIC_PREFIX: `${mechanism}-`, KAFKA_SASL_MECHANISM: mechanism };
      const program = await startProgram({ env, readyTimeoutMs: 60_000 });
      try {
        await inService(program);
        const someone = createProgramClient(program);
        const { code } = await someone.create({ url: 'https://example.org/' });
        expect((await someone.follow(code)).status).toBe(302);
        expect(await someone.statisticsAt(code, 1)).toMatchObject({ total: 1 });
      } finally {
        await program.dispose();
      }
    },
    120_000,
  );

  it.each(mechanisms)(
    'is not ready for who does not, and says why: %s',
    async (mechanism) => {
      const wrong = { KAFKA_PASSWORD: 'battery staple', KAFKA_SASL_MECHANISM: mechanism };
      const start = startProgram({ env: { ...settings, ...wrong }, readyTimeoutMs: 5_000 });
      const told = await start.then(
        (program) => program.dispose().then(() => 'it is ready'),
        (error: Error) => error.message,
      );
      expect(told).toMatch(/"level":"warn".*authentication failed/i);
      expect(told).not.toContain(wrong.KAFKA_PASSWORD);
    },
    60_000,
  );
});
