/** A line between a browser and the program that can be cut: bytes go through it as they are, until every connection breaks. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface CuttableLine {
  /** For the browser, as its HTTP proxy: the program takes requests in absolute form. */
  readonly address: string;
  /** Connections of event streams that were cut so far. */
  readonly streamsCut: number;
  /** Breaks all connections that stand now. New ones work. */
  cut(): void;
  close(): Promise<void>;
}

export async function openCuttableLine(port: number): Promise<CuttableLine> {
  const sockets = new Set<Socket>();
  const streams = new Set<Socket>();
  let streamsCut = 0;
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
      if (bytes.includes('text/event-stream')) streams.add(client);
    });
    client.pipe(program);
    program.pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    streamsCut += streams.size;
    for (const socket of sockets) socket.destroy();
  };
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    get streamsCut() {
      return streamsCut;
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
