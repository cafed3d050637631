/** One Kafka broker as a process of the machine: KRaft, broker and controller in one, all on 127.0.0.1. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createOwnedProcess } from './owned-process.js';

const readyTimeoutMs = 90_000;
const clusterId = 'dGFsbHlob3AtdGVzdHMtMQ';

/**
 * Shell commands of a broker from its jars, with the least memory and output.
 * @param {{ java: string, jars: string }} broker
 */
export function brokerCommands(broker) {
  const { java, jars } = broker;
  const classPath = `-cp '${join(jars, '*')}'`;
  const logging = [
    'defaultLogLevel=warn',
    'log.kafka.server.KafkaRaftServer=info',
    'showDateTime=true',
    'dateTimeFormat=HH:mm:ss.SSS',
  ].map((setting) => `-Dorg.slf4j.simpleLogger.${setting}`);
  const memory = (heapMb) =>
    `-Xms${Math.min(heapMb, 256)}m -Xmx${heapMb}m -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError`;
  return {
    format: `${toolCommand(broker, 'kafka.tools.StorageTool')} format`,
    serve: (heapMb) => `'${java}' ${memory(heapMb)} ${logging.join(' ')} ${classPath} kafka.Kafka`,
  };
}

/** Shell command of a tool of Kafka, which is short-lived. */
export function toolCommand({ java, jars }, className) {
  return `'${java}' -Xmx128m -XX:TieredStopAtLevel=1 -cp '${join(jars, '*')}' ${className}`;
}

/** The same in a container of the broker's image. */
export const imageCommands = {
  format: 'LOG_DIR=/tmp /opt/kafka/bin/kafka-storage.sh format',
  serve: (heapMb) => `env LOG_DIR=/tmp KAFKA_HEAP_OPTS=-Xmx${heapMb}m /opt/kafka/bin/kafka-server-start.sh`,
};

/**
 * @param {{ id: number, ports: { client: number, internal: number, controller: number }[], announcedPort: number,
 *   folder: string, commands: ReturnType<typeof brokerCommands>, launch: (service: string, startScript: string) => object,
 *   heapMb: number, properties: Record<string, string>, isReady: () => Promise<boolean> }} options
 *   `ports` of all brokers, the one with id 1 first; `properties` come last, so they win over ours.
 */
export function createKafkaBroker(options) {
  const { id, ports, announcedPort, folder, commands, launch, heapMb, properties, isReady } = options;
  const own = join(folder, `kafka-${id}`);
  const settingsFile = join(own, 'server.properties');
  const { client, internal, controller } = ports[id - 1];
  const copies = String(Math.min(ports.length, 3));
  const voters = ports.map((port, index) => `${index + 1}@127.0.0.1:${port.controller}`).join(',');

  const settings = {
    'process.roles': 'broker,controller',
    'node.id': String(id),
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    // INTERNAL is for brokers and the ready check: it works whatever a test makes of CLIENT (a proxy in front, TLS, SASL).
    listeners: `CLIENT://127.0.0.1:${client},INTERNAL://127.0.0.1:${internal},CONTROLLER://127.0.0.1:${controller}`,
    'advertised.listeners': `CLIENT://127.0.0.1:${announcedPort},INTERNAL://127.0.0.1:${internal}`,
    'listener.security.protocol.map': 'CLIENT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'inter.broker.listener.name': 'INTERNAL',
    'log.dirs': join(own, 'data'),
    'auto.create.topics.enable': 'false',
    'group.initial.rebalance.delay.ms': '0',
    'offsets.topic.num.partitions': '4',
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': '2',
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': '1',
    // After `kill -9` a broker comes back only when its old session has ended: 9 s and 2 s are the defaults.
    'broker.session.timeout.ms': '5000',
    'broker.heartbeat.interval.ms': '1000',
    // The cleaner takes this from the heap at the start; 128 MiB is the default.
    'log.cleaner.dedupe.buffer.size': String(16 * 1024 * 1024),
    ...properties,
  };

  mkdirSync(own);
  const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(settingsFile, lines.join(''));
  const startScript = `
    [ -e '${own}/data/meta.properties' ] || ${commands.format} -t ${clusterId} -c '${settingsFile}' || exit 1
    exec ${commands.serve(heapMb)} '${settingsFile}'
  `;

  const process = createOwnedProcess({
    name: `Kafka broker ${id}`,
    launch: launch(`kafka-${id}`, startScript),
    folder,
    logFile: join(folder, `kafka-${id}.log`),
    readyTimeoutMs,
    // The metadata alone would not do: a broker that was killed finds its old registration in its own log.
    ready: async (log) => log.includes('Kafka Server started') && (await isReady()),
  });

  return {
    id,
    port: announcedPort,
    listenPort: client,
    internalPort: internal,
    get pid() {
      return process.pid;
    },
    start: process.start,
    kill: process.kill,
    end: process.end,
    restart: async () => {
      await process.kill('SIGTERM');
      await process.start();
    },
  };
}
