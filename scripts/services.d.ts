/** The importable part of services.js, for the tests. */

export interface StartOptions {
  /** Kafka brokers: 1 (default) or 3; 0 for Redis alone. */
  readonly brokers?: 0 | 1 | 3;
  /** `false` for Kafka alone. */
  readonly redis?: boolean;
  /** `true`: never those of `KAFKA_BROKERS` and `REDIS_URL`. For tests that stop or configure them. */
  readonly own?: boolean;
  /** Default `4.3.0`; the older supported one is `3.9.2`. */
  readonly kafkaVersion?: string;
  /** Heap of each broker in MiB; default 384 for one, 320 for each of three. */
  readonly heapMb?: number;
  /**
   * Lines of every broker's server.properties that win over ours. Clients come in by the listener `CLIENT`, brokers and the
   * ready check by `INTERNAL`, so `listener.security.protocol.map` can give `CLIENT` TLS or SASL.
   */
  readonly kafkaProperties?: Readonly<Record<string, string>>;
  /** Arguments of redis-server that win over ours, such as `--maxmemory`. */
  readonly redisArguments?: (port: number) => readonly string[];
  /** What starts redis-server, as command and leading arguments, in place of `redis-server`. */
  readonly redisCommand?: readonly string[];
  /** Ports that the brokers tell clients instead of their own, in the order of their ids: those of proxies in front of them. */
  readonly announcedPorts?: readonly number[];
}

interface OwnedService {
  /** Undefined while it does not run. */
  readonly pid: number | undefined;
  /**
   * SIGSTOP and SIGCONT resolve at once; after any other signal (default SIGKILL) the process is gone when it resolves, frozen
   * or not. Data stay. Without effect when it is gone already.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

export interface OwnedBroker extends OwnedService {
  /** From 1. */
  readonly id: number;
  /** Where clients find it: the announced port when there is one. */
  readonly port: number;
  /** Where it listens itself: what a proxy forwards to. */
  readonly listenPort: number;
  /** Where brokers speak with one another, never by TLS or SASL: for administration where `CLIENT` asks for it. */
  readonly internalPort: number;
  /** Stops it by SIGTERM if it runs; resolves when it answers again on the same ports with the same data. */
  restart(): Promise<void>;
}

export interface OwnedRedis extends OwnedService {
  readonly port: number;
  /** Its data folder. */
  readonly folder: string;
  /** As that of a broker; `empty`: without its data. */
  restart(options?: { readonly empty?: boolean }): Promise<void>;
}

export interface Services {
  /** `host:port` of each broker. */
  readonly kafkaBrokers: readonly string[];
  /** Empty string without Redis. */
  readonly redisUrl: string;
  /** Empty when they are those of `KAFKA_BROKERS`. */
  readonly brokers: readonly OwnedBroker[];
  /** Undefined when it is that of `REDIS_URL`. */
  readonly redis: OwnedRedis | undefined;
  /** Ends what was started here and removes its data. */
  stop(): Promise<void>;
}

/**
 * Resolves when all of them answer: a metadata request that lists every broker, a PING.
 * Throws ServicesMissing, whose message says how to give them, when the machine has none.
 */
export function startServices(options?: StartOptions): Promise<Services>;

export function installServices(options?: { readonly kafkaVersion?: string }): void;

/** Shell command of a class of Kafka's own tools, from the jars of a broker. */
export function kafkaToolCommand(className: string, kafkaVersion?: string): string;
