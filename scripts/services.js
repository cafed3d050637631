/**
 * Kafka and Redis for tests and benches, on free ports of 127.0.0.1, started until they answer and stopped by id.
 *
 *   node scripts/services.js start [--brokers=3] [--kafka=3.9.2]   prints KAFKA_BROKERS=… and REDIS_URL=…, runs until SIGTERM
 *   node scripts/services.js install [--kafka=3.9.2]               only fetches and installs what a start needs
 *
 * Takes the first that is there: KAFKA_BROKERS and REDIS_URL; Java, Maven and redis-server of the machine; these by apt-get;
 * a Docker engine.
 */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createContainers, findEngine } from './services/containers.js';
import { freePorts } from './services/free-ports.js';
import { brokerCommands, createKafkaBroker, imageCommands, toolCommand } from './services/kafka-broker.js';
import { kafkaAnswers } from './services/kafka-ready.js';
import { kafkaVersions, provideBroker, provideRedisServer, ServicesMissing } from './services/machine.js';
import { createRedisProcess } from './services/redis-process.js';

const env = (name) => process.env[name] || undefined;

/** Starts a script as a process of the machine. */
const launchHere = (_service, startScript) => ({ command: 'sh', args: ['-c', startScript] });

/** Where brokers come from: the machine, or containers. Fetches and installs what is missing. Throws ServicesMissing. */
function findKafka(kafkaVersion, folder) {
  const broker = provideBroker(kafkaVersion);
  if (broker !== undefined) return { commands: brokerCommands(broker), launch: launchHere };
  return {
    commands: imageCommands,
    launch: launchInContainer('kafka-1', 'there is no Java with Maven', folder, kafkaVersion),
  };
}

function findRedis(kafkaVersion, folder) {
  if (provideRedisServer()) return { launch: launchHere };
  return { launch: launchInContainer('redis', 'there is no redis-server', folder, kafkaVersion) };
}

function launchInContainer(service, why, folder, kafkaVersion) {
  const engine = findEngine();
  if (engine === undefined) throw new ServicesMissing(`${why}, and no Docker engine.`);
  const containers = createContainers(engine, { folder, kafkaVersion });
  containers.pull(service);
  return (name, startScript) => {
    writeFileSync(join(folder, `${name}.sh`), startScript);
    return containers.launch(name);
  };
}

/** Fetches and installs what {@link startServices} needs, without starting anything. Throws ServicesMissing. */
export function installServices({ kafkaVersion = kafkaVersions.current } = {}) {
  if (env('KAFKA_BROKERS') === undefined) findKafka(kafkaVersion, tmpdir());
  if (env('REDIS_URL') === undefined) findRedis(kafkaVersion, tmpdir());
}

/** See services.d.ts. */
export function kafkaToolCommand(className, kafkaVersion = kafkaVersions.current) {
  const broker = provideBroker(kafkaVersion);
  if (broker === undefined) throw new ServicesMissing('there is no Java with Maven.');
  return toolCommand(broker, className);
}

/** See services.d.ts. */
export async function startServices({
  brokers: count = 1,
  redis: withRedis = true,
  own = false,
  kafkaVersion = kafkaVersions.current,
  heapMb = count === 1 ? 384 : 320,
  kafkaProperties = {},
  redisCommand = ['redis-server'],
  redisArguments = () => [],
  announcedPorts,
} = {}) {
  const given = own ? {} : { kafka: env('KAFKA_BROKERS'), redis: env('REDIS_URL') };
  const folder = mkdtempSync(join(realpathSync(tmpdir()), 'tallyhop-services-'));
  const started = [];

  async function stop() {
    // Their data goes with them, so there is nothing to be polite about.
    await Promise.all(started.map((service) => service.end()));
    rmSync(folder, { recursive: true, force: true });
  }

  async function startBrokers() {
    const { commands, launch } = findKafka(kafkaVersion, folder);
    const numbers = await freePorts(3 * count);
    const ports = Array.from({ length: count }, (_, index) => {
      const [client, internal, controller] = numbers.slice(3 * index);
      return { client, internal, controller };
    });
    const ids = ports.map((_, index) => index + 1);
    let all = true;
    const members = ids.map((id) =>
      createKafkaBroker({
        ...{ id, ports, folder, commands, launch, heapMb, properties: kafkaProperties },
        announcedPort: announcedPorts?.[id - 1] ?? ports[id - 1].client,
        // At the first start all must be there; later on others may be down on purpose.
        isReady: () => kafkaAnswers(`127.0.0.1:${ports[id - 1].internal}`, all ? ids : [id]),
      }),
    );
    started.push(...members);
    await Promise.all(members.map((member) => member.start()));
    all = false;
    return members;
  }

  async function startRedis() {
    const { launch } = findRedis(kafkaVersion, folder);
    const [port] = await freePorts(1);
    const server = createRedisProcess({ launch, port, folder, command: redisCommand, args: redisArguments(port) });
    started.push(server);
    await server.start();
    return server;
  }

  try {
    const [brokers, redis] = await Promise.all([
      given.kafka === undefined && count > 0 ? startBrokers() : [],
      given.redis === undefined && withRedis ? startRedis() : undefined,
    ]);
    return {
      kafkaBrokers:
        given.kafka?.split(',').map((address) => address.trim()) ?? brokers.map(({ port }) => `127.0.0.1:${port}`),
      redisUrl: given.redis ?? (redis === undefined ? '' : `redis://127.0.0.1:${redis.port}`),
      brokers,
      redis,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function main() {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { brokers: { type: 'string', default: '1' }, kafka: { type: 'string', default: kafkaVersions.current } },
  });
  const [command] = positionals;
  const brokers = Number(values.brokers);
  if (!['start', 'install'].includes(command) || ![0, 1, 3].includes(brokers)) {
    throw new Error('usage: node scripts/services.js start|install [--brokers=0|1|3] [--kafka=<version>]');
  }
  if (command === 'install') {
    installServices({ kafkaVersion: values.kafka });
    return;
  }
  const stopAsked = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, resolve);
  });
  const services = await startServices({ brokers, kafkaVersion: values.kafka });
  if (services.kafkaBrokers.length > 0) console.log(`KAFKA_BROKERS=${services.kafkaBrokers.join(',')}`);
  console.log(`REDIS_URL=${services.redisUrl}`);
  const foreground = setInterval(() => undefined, 60_000);
  await stopAsked;
  clearInterval(foreground);
  await services.stop();
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await main().catch((error) => {
    console.error(error.name === 'ServicesMissing' ? error.message : error);
    process.exitCode = 1;
  });
}
