/**
 * The brokers as this process knows them: who leads which partition, and a connection to each broker for each kind of work.
 * A connection answers in order, so that a long poll on one would hold up what stands behind it: hence the lanes.
 */
import {
  type BrokerAddress,
  type BrokerConnection,
  BrokerUnreachable,
  createBrokerConnection,
} from './broker-connection.ts';
import type { KafkaOptions } from './kafka-options.ts';
import { errorName, type MetadataAnswer, metadataExchange } from './kafkajs-internals.ts';

/** What a connection is used for; each broker has at most one of each. */
export type Lane = 'control' | 'links' | 'visits' | 'changelog' | 'dead-letters' | `fetch-${number}`;

export interface KafkaCluster {
  /** A connection to the broker that leads the partition. Throws {@link BrokerUnreachable} when none can be learned now. */
  leaderConnection(topic: string, partition: number, lane: Lane): Promise<LeaderConnection>;
  /** The broker that leads the partition as far as is known; undefined when that must be asked first. */
  knownLeader(topic: string, partition: number): number | undefined;
  /** The leader may be another by now: the next question for it asks the brokers. */
  forgetLeader(topic: string, partition: number): void;
  /** How many partitions the topic has, asked of the brokers; null when there is no such topic. */
  partitionCount(topic: string): Promise<number | null>;
  close(): void;
}

export interface LeaderConnection {
  readonly nodeId: number;
  readonly connection: BrokerConnection;
}

const metadataMaxMs = 3_000;
/** A failed question is not repeated sooner: a dead cluster is asked a few times a second, whoever wants to know. */
const metadataPauseMs = 200;
/** Bounds what a topic name typed wrong can cost. */
const topicsMax = 100;

export function createKafkaCluster(options: KafkaOptions): KafkaCluster {
  const { clock } = options;
  const seeds = options.brokers.map(parseAddress);
  const topics = new Set<string>();
  let nodes = new Map<number, BrokerAddress>();
  /** By topic and partition. */
  const leaders = new Map<string, number>();
  const connections = new Map<string, BrokerConnection>();
  let refreshing: Promise<MetadataAnswer> | null = null;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let failure: BrokerUnreachable = new BrokerUnreachable('no broker was asked yet');
  let nextSeed = 0;
  let closed = false;

  const keyOf = (topic: string, partition: number): string => `${topic}/${partition}`;

  function connectionTo(address: BrokerAddress, lane: Lane): BrokerConnection {
    if (closed) throw new BrokerUnreachable('the client is closed');
    const key = `${lane}@${address.host}:${address.port}`;
    const known = connections.get(key);
    if (known?.isUsable() === true) return known;
    const fresh = createBrokerConnection(address, options);
    connections.set(key, fresh);
    return fresh;
  }

  /** Asks whoever answers first: brokers that are connected, then the others, then the addresses of the settings. */
  async function ask(): Promise<MetadataAnswer> {
    const isConnected = (address: BrokerAddress): boolean =>
      connections.get(`control@${address.host}:${address.port}`)?.isUsable() === true;
    const known = [...nodes.values()].sort((a, b) => Number(isConnected(b)) - Number(isConnected(a)));
    const rotated = [...seeds.slice(nextSeed), ...seeds.slice(0, nextSeed)];
    nextSeed = (nextSeed + 1) % seeds.length;
    const asked = new Set<string>();
    let last: unknown;
    for (const address of [...known, ...rotated]) {
      const where = `${address.host}:${address.port}`;
      if (asked.has(where)) continue;
      asked.add(where);
      try {
        const exchange = metadataExchange([...topics]);
        // The answer's errors belong to single topics; the library would throw the first one.
        const lenient = {
          ...exchange,
          response: { ...exchange.response, parse: async (answer: MetadataAnswer) => answer },
        };
        return await connectionTo(address, 'control').exchange(lenient, metadataMaxMs);
      } catch (error) {
        last = error;
      }
    }
    throw new BrokerUnreachable('no broker can be reached', { cause: last });
  }

  function take(answer: MetadataAnswer): void {
    nodes = new Map(answer.brokers.map(({ nodeId, host, port }) => [nodeId, { host, port }]));
    const addresses = new Set([...nodes.values()].map(({ host, port }) => `${host}:${port}`));
    for (const [key, connection] of connections) {
      // An address of the settings that is no broker's own, such as a load balancer's, has served its purpose.
      if (addresses.has(key.slice(key.indexOf('@') + 1))) continue;
      connection.close();
      connections.delete(key);
    }
    leaders.clear();
    for (const { topic, partitionMetadata } of answer.topicMetadata) {
      for (const { partitionId, leader } of partitionMetadata) {
        if (leader >= 0 && nodes.has(leader)) leaders.set(keyOf(topic, partitionId), leader);
      }
    }
  }

  /** One question at a time, shared by all who ask while it is not answered. */
  function refresh(): Promise<MetadataAnswer> {
    if (refreshing === null) {
      if (clock.monotonicMs() - failedAtMs < metadataPauseMs) return Promise.reject(failure);
      refreshing = ask()
        .then(
          (answer) => {
            take(answer);
            return answer;
          },
          (error: unknown) => {
            failedAtMs = clock.monotonicMs();
            failure = error as BrokerUnreachable;
            throw error;
          },
        )
        .finally(() => {
          refreshing = null;
        });
    }
    return refreshing;
  }

  /** An answer to a question that may have been asked before `topic` was wanted does not count. */
  async function refreshWith(topic: string): Promise<MetadataAnswer> {
    if (!topics.has(topic)) {
      if (topics.size >= topicsMax) throw new RangeError(`more than ${topicsMax} topics`);
      topics.add(topic);
      await refreshing?.catch(() => undefined);
    }
    return refresh();
  }

  return {
    async leaderConnection(topic, partition, lane) {
      const key = keyOf(topic, partition);
      if (!leaders.has(key)) await refreshWith(topic);
      const nodeId = leaders.get(key);
      const address = nodeId === undefined ? undefined : nodes.get(nodeId);
      if (nodeId === undefined || address === undefined) {
        throw new BrokerUnreachable(`partition ${partition} of ${topic} has no leader now, or does not exist`);
      }
      return { nodeId, connection: connectionTo(address, lane) };
    },
    knownLeader: (topic, partition) => leaders.get(keyOf(topic, partition)),
    forgetLeader(topic, partition) {
      leaders.delete(keyOf(topic, partition));
    },
    async partitionCount(topic) {
      const answer = await refreshWith(topic);
      const found = answer.topicMetadata.find((each) => each.topic === topic);
      if (found === undefined || errorName(found.topicErrorCode) === 'UNKNOWN_TOPIC_OR_PARTITION') return null;
      if (found.topicErrorCode !== 0) {
        throw new BrokerUnreachable(`${topic} cannot be described: ${errorName(found.topicErrorCode)}`);
      }
      return found.partitionMetadata.length;
    },
    close() {
      closed = true;
      for (const connection of connections.values()) connection.close();
      connections.clear();
    },
  };
}

/** The port stands behind the last colon: an IPv6 address has others. */
function parseAddress(broker: string): BrokerAddress {
  const colon = broker.lastIndexOf(':');
  const port = Number(broker.slice(colon + 1));
  if (colon <= 0 || !Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new RangeError(`a broker is given as host:port, not as "${broker}"`);
  }
  return { host: broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port };
}
