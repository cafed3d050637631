/**
 * A line in front of a broker that sees each request by its kind, passes it on, and may keep its answer back: the broker has
 * done what was asked and the client never learns of it. The broker must announce this line's port.
 */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** API keys of the protocol. */
export const api = { produce: 0, fetch: 1, listOffsets: 2, metadata: 3 };

/** What becomes of an answer: `reset` breaks the connection in its place, `silence` keeps it and every later one back. */
export type AnswerFate = 'pass' | 'reset' | 'silence';

export interface FrameLine {
  readonly port: number;
  /** Where the broker listens itself; null lets nobody through. */
  leadTo(port: number | null): void;
  /** Decides what becomes of the answer to each request of a kind. */
  judge(apiKey: number, fate: () => AnswerFate): void;
  /** Requests of a kind that were passed on so far. */
  passed(apiKey: number): number;
  /** Calls `seen` when a request of the kind has been passed on. */
  onPassed(apiKey: number, seen: () => void): void;
  cut(): void;
  close(): Promise<void>;
}

export async function openFrameLine(): Promise<FrameLine> {
  const sockets = new Set<Socket>();
  const judges = new Map<number, () => AnswerFate>();
  const counts = new Map<number, number>();
  const listeners: { readonly apiKey: number; readonly seen: () => void }[] = [];
  let target: number | null = null;

  const server = createServer((client) => {
    if (target === null) {
      client.destroy();
      return;
    }
    const broker = connect(target, '127.0.0.1');
    const end = () => {
      client.destroy();
      broker.destroy();
    };
    for (const socket of [client, broker]) {
      sockets.add(socket);
      socket.on('error', end);
      socket.on('close', () => {
        sockets.delete(socket);
        end();
      });
    }
    /** By correlation id. */
    const asked = new Map<number, number>();
    let silent = false;
    splitFrames(client, (frame) => {
      const apiKey = frame.readInt16BE(4);
      asked.set(frame.readInt32BE(8), apiKey);
      counts.set(apiKey, (counts.get(apiKey) ?? 0) + 1);
      broker.write(frame);
      for (const listener of listeners) if (listener.apiKey === apiKey) listener.seen();
    });
    splitFrames(broker, (frame) => {
      const correlationId = frame.readInt32BE(4);
      const fate = judges.get(asked.get(correlationId) ?? -1)?.() ?? 'pass';
      asked.delete(correlationId);
      if (fate === 'silence') silent = true;
      if (fate === 'reset') end();
      else if (!silent) client.write(frame);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };

  return {
    port: (server.address() as AddressInfo).port,
    leadTo(port) {
      target = port;
    },
    judge: (apiKey, fate) => void judges.set(apiKey, fate),
    passed: (apiKey) => counts.get(apiKey) ?? 0,
    onPassed: (apiKey, seen) => void listeners.push({ apiKey, seen }),
    cut,
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}

/** Each message with its four bytes of length. */
function splitFrames(socket: Socket, take: (frame: Buffer) => void): void {
  let kept = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    kept = Buffer.concat([kept, bytes]);
    while (kept.length >= 4 && kept.length >= 4 + kept.readInt32BE(0)) {
      const end = 4 + kept.readInt32BE(0);
      take(kept.subarray(0, end));
      kept = kept.subarray(end);
    }
  });
}
