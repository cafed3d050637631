/**
 * One connection to one broker, used until it breaks. A request that is not answered by its deadline breaks it, so that
 * nothing waits for ever and no late answer is taken for another request's: everything under way fails with it, outcome unknown.
 */
import type { KafkaOptions } from './kafka-options.ts';
import {
  apiVersionsExchange,
  createWireConnection,
  createWireLogger,
  type WireConnection,
  type WireExchange,
} from './kafkajs-internals.ts';

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}

export interface BrokerConnection {
  /** Whether requests may be tried on it. */
  isUsable(): boolean;
  /** Sends one request and gives its answer. Throws {@link BrokerUnreachable}: then nobody knows what became of it. */
  exchange<Answer>(exchange: WireExchange<Answer>, maxMs: number): Promise<Answer>;
  /** Breaks it at once. */
  close(): void;
}

/** A broker did not answer, or the connection broke: the outcome of what was asked is unknown. */
export class BrokerUnreachable extends Error {
  override readonly name = 'BrokerUnreachable';
}

/** TCP, TLS and SASL together take no longer. */
const connectMaxMs = 3_000;

/** Versions of the requests that this room writes: all of them are spoken by Kafka 2.4 to 4.x. */
const versionsNeeded = [
  { name: 'Produce', apiKey: 0, version: 7 },
  { name: 'Fetch', apiKey: 1, version: 11 },
  { name: 'ListOffsets', apiKey: 2, version: 3 },
  { name: 'Metadata', apiKey: 3, version: 6 },
];

/** Begins to connect; the first request waits for it. */
export function createBrokerConnection(address: BrokerAddress, options: KafkaOptions): BrokerConnection {
  const where = `${address.host}:${address.port}`;
  const wire = createWireConnection({
    ...address,
    clientId: options.clientId,
    logger: createWireLogger(options.logger),
    ssl: options.ssl ?? null,
    sasl: options.sasl ?? null,
    connectMaxMs,
  });
  let broken: Error | null = null;
  let breakNow: (error: Error) => void = () => undefined;
  const whenBroken = new Promise<never>((_, reject) => {
    breakNow = reject;
  });
  whenBroken.catch(() => undefined);

  function breakWith(error: Error): void {
    if (broken !== null) return;
    broken = error;
    breakNow(error);
    wire.socket?.destroy(error);
  }

  /** What does not come in time, or fails, takes the connection along. The library's own promises may never settle. */
  async function within<Result>(work: Promise<Result>, maxMs: number, what: string): Promise<Result> {
    const timer = setTimeout(
      () => breakWith(new BrokerUnreachable(`${what} was not answered by ${where} within ${maxMs} ms`)),
      maxMs,
    );
    work.catch(() => undefined);
    try {
      return await Promise.race([work, whenBroken]);
    } catch (error) {
      const failure =
        error instanceof BrokerUnreachable
          ? error
          : new BrokerUnreachable(`${what} failed on ${where}: ${(error as Error).message}`, { cause: error });
      breakWith(failure);
      throw failure;
    } finally {
      clearTimeout(timer);
    }
  }

  const connected = within(connect(wire), connectMaxMs, 'connecting');
  connected.catch(() => undefined);

  return {
    isUsable: () => broken === null,
    async exchange(exchange, maxMs) {
      if (broken !== null) throw broken;
      await connected;
      return within(wire.send({ ...exchange, logResponseError: false }), maxMs, exchange.request.apiName);
    },
    close: () => breakWith(new BrokerUnreachable(`the connection to ${where} is closed`)),
  };
}

async function connect(wire: WireConnection): Promise<void> {
  await wire.connect();
  const { apiVersions } = await wire.send({ ...apiVersionsExchange(), logResponseError: false });
  const versions = Object.fromEntries(apiVersions.map(({ apiKey, ...range }) => [String(apiKey), range]));
  for (const { name, apiKey, version } of versionsNeeded) {
    const range = versions[String(apiKey)];
    if (range === undefined || range.minVersion > version || range.maxVersion < version) {
      throw new Error(`the broker does not speak version ${version} of ${name}; Kafka 2.4 to 4.x is needed`);
    }
  }
  wire.setVersions(versions);
  wire.setSupportAuthenticationProtocol(true);
  await wire.authenticate();
}
