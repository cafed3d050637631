/** A connection to the broker that coordinates the worker group: found by asking any broker, used until it breaks. */
import { type BrokerConnection, BrokerUnreachable, createBrokerConnection } from './broker-connection.ts';
import { groupExchanges, refusalIn } from './group-exchanges.ts';
import type { KafkaOptions } from './kafka-options.ts';

const findMaxMs = 3_000;

/**
 * Asks the brokers of the settings one after the other, beginning with another one at each `attempt`. Throws
 * {@link BrokerUnreachable} when none knows the coordinator now (a fresh broker loads it for a second or two): try again.
 */
export async function connectToCoordinator(
  options: KafkaOptions,
  groupId: string,
  attempt: number,
): Promise<BrokerConnection> {
  const { brokers } = options;
  const first = attempt % brokers.length;
  let last: unknown;
  for (const broker of [...brokers.slice(first), ...brokers.slice(0, first)]) {
    const seed = createBrokerConnection(addressOf(broker), options);
    try {
      const answer = await seed.exchange(groupExchanges.findCoordinator(groupId), findMaxMs);
      const refusal = refusalIn(answer);
      if (refusal !== null) throw new BrokerUnreachable(`the coordinator of the group is not known: ${refusal}`);
      const { host, port } = answer.coordinator;
      return createBrokerConnection({ host, port }, options);
    } catch (error) {
      last = error;
    } finally {
      seed.close();
    }
  }
  throw new BrokerUnreachable(`no broker names the coordinator of the group: ${(last as Error).message}`, {
    cause: last,
  });
}

/** `host:port`; an IPv6 address stands in brackets. */
function addressOf(broker: string): { readonly host: string; readonly port: number } {
  const colon = broker.lastIndexOf(':');
  return { host: broker.slice(0, colon).replace(/^\[(.*)\]$/, '$1'), port: Number(broker.slice(colon + 1)) };
}
