/** A line between a browser and the program that can be cut: bytes go through it as they are, until every connection breaks. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttableLine {
  /** For the browser, as its HTTP proxy: the program takes requests in absolute form. */
  readonly address: string;
  /** Event streams that run through it now. */
  readonly streams: number;
  /** Breaks all connections that stand now. New ones work. */
  cut(): void;
  close(): Promise<void>;
}

export async function openCuttableLine(port: number): Promise<CuttableLine> {
  const sockets = new Set<Socket>();
  const streams = new Set<Socket>();
  const server = createServer((client) => {
    const program = connect(port, '127.0.0.1');
    for (const socket of [client, program]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        streams.delete(socket);
        client.destroy();
        program.destroy();
      });
    }
    program.on('data', (bytes) => {
      // The head of an answer comes in one piece.
      if (bytes.includes('text/event-stream')) streams.add(client);
    });
    client.pipe(program);
    program.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get streams() {
      return streams.size;
    },
    cut,
    async close() {
      const closed = once(server, 'close');
      server.close();
      cut();
      await closed;
    },
  };
}
