/**
 * A line in front of a broker that knows which client is on which connection (each request names it), so that a test can take
 * the network from one member alone. The broker must announce this line's port.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface BrokerLine {
  readonly port: number;
  /** Where the broker listens itself. */
  leadTo(port: number): void;
  /** Breaks the client's connections, and its new ones as soon as they name it, until `heal`. */
  isolate(clientId: string): void;
  /** From now on nothing comes through for this client, in neither direction, and nobody is told. */
  silence(clientId: string): void;
  heal(clientId: string): void;
  /** Connections that the client has opened so far. */
  opened(clientId: string): number;
  close(): Promise<void>;
}

interface Call {
  readonly client: Socket;
  readonly broker: Socket;
  clientId: string;
}

export async function openBrokerLine(): Promise<BrokerLine> {
  const calls = new Set<Call>();
  const isolated = new Set<string>();
  const silenced = new Set<string>();
  const openedBy = new Map<string, number>();
  let target = 0;

  const end = ({ client, broker }: Call) => {
    client.destroy();
    broker.destroy();
  };
  const server = createServer((client) => {
    const call: Call = { client, broker: connect(target, '127.0.0.1'), clientId: '' };
    calls.add(call);
    for (const socket of [call.client, call.broker]) {
      socket.on('error', () => end(call));
      socket.on('close', () => {
        calls.delete(call);
        end(call);
      });
    }
    client.on('data', (bytes) => {
      if (call.clientId === '') {
        call.clientId = clientIdOf(bytes);
        openedBy.set(call.clientId, (openedBy.get(call.clientId) ?? 0) + 1);
      }
      if (isolated.has(call.clientId)) end(call);
      else if (!silenced.has(call.clientId)) call.broker.write(bytes);
    });
    call.broker.on('data', (bytes) => {
      if (!silenced.has(call.clientId)) client.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    leadTo(port) {
      target = port;
    },
    isolate(clientId) {
      isolated.add(clientId);
      for (const call of calls) if (call.clientId === clientId) end(call);
    },
    silence: (clientId) => void silenced.add(clientId),
    heal(clientId) {
      isolated.delete(clientId);
      silenced.delete(clientId);
    },
    opened: (clientId) => openedBy.get(clientId) ?? 0,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const call of calls) end(call);
      await closed;
    },
  };
}

/** Of a request's header: length, API key, API version, correlation id, then the client's id as a string. */
function clientIdOf(request: Buffer): string {
  const length = request.readInt16BE(12);
  return request.toString('utf8', 14, 14 + length);
}
