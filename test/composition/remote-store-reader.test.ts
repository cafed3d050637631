/** Reads on another instance over real connections, signed, bounded and typed. */
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { systemRandom } from '../../src/adapters/system/system-random.ts';
import { createInstanceClient, type InstanceClient } from '../../src/composition/instance-client.ts';
import { createRemoteStoreReader, type RemoteTasks } from '../../src/composition/remote-store-reader.ts';
import { createInternalDoor } from '../../src/http/internal/internal-door.ts';
import { internalTaskRoutes } from '../../src/http/internal/store-reads.ts';
import { StatisticsUnavailable } from '../../src/ports/statistics-read-model.ts';
import { createFakeTasks } from '../support/fake-tasks.ts';
import { createQuietLogger } from '../support/quiet-logger.ts';

const key = Buffer.alloc(32, 1);
const topology = 'visits@1';
const time = { now: 1_000 };
const clock = { nowMs: () => time.now, monotonicMs: () => time.now };
const request = { partition: 0, keys: ['a', 'none'], range: { limit: 5 } };

const servers: Server[] = [];
const sockets = new Set<Socket>();
let client: InstanceClient | undefined;
let remote: RemoteTasks;

async function listen(listener: RequestListener, port = 0) {
  const server = createServer(listener);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  servers.push(server);
  const { port: listening } = server.address() as AddressInfo;
  return { instanceId: 'other', url: `http://127.0.0.1:${listening}`, port: listening, server };
}

function instanceListener(options: { readonly key?: Uint8Array; readonly topology?: string } = {}) {
  const local = createFakeTasks('other', {
    0: { role: 'active', nextOffset: 42 },
    3: { role: 'standby', nextOffset: 9 },
  });
  const door = createInternalDoor({
    key: options.key ?? key,
    clock,
    random: systemRandom,
    logger: createQuietLogger(),
    routes: internalTaskRoutes({ instanceId: 'other', topology: options.topology ?? topology, local }),
  });
  return { local, listener: ((incoming, response) => void door(incoming, response)) as RequestListener };
}

async function end(server: Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const socket of sockets) socket.destroy();
  await closed;
}

function openClient(deadlineMs: number): void {
  client?.close();
  client = createInstanceClient({ key, clock, deadlineMs });
  remote = createRemoteStoreReader(client, topology);
}

beforeEach(() => {
  time.now = 1_000;
  openClient(10_000);
});
afterEach(async () => {
  client?.close();
  await Promise.all(servers.splice(0).map((server) => (server.listening ? end(server) : undefined)));
});

describe('reads on another instance', () => {
  it('give its rows and where they stand', async () => {
    const { listener, local } = instanceListener();
    const instance = await listen(listener);
    expect(await remote.read(instance, request, false)).toEqual({
      nextOffset: 42,
      streamTimeMs: 5,
      values: [Buffer.from('other/a'), undefined],
      entries: [['k', Buffer.from('other/k')]],
    });
    expect(local.asked).toEqual([request]);
  });

  it('give the positions of its tasks', async () => {
    const instance = await listen(instanceListener().listener);
    expect(await remote.positions(instance)).toEqual({
      instanceId: 'other',
      topology,
      tasks: [
        { partition: 0, role: 'active', nextOffset: 42, streamTimeMs: 5 },
        { partition: 3, role: 'standby', nextOffset: 9, streamTimeMs: 5 },
      ],
    });
  });

  it('share kept connections, a bounded number of them', async () => {
    const instance = await listen(instanceListener().listener);
    let opened = 0;
    instance.server.on('connection', () => opened++);
    await Promise.all(Array.from({ length: 200 }, () => remote.read(instance, request, false)));
    await remote.read(instance, request, false);
    expect(opened).toBeLessThanOrEqual(16);
  });

  it('go on over a new connection when the kept one was just closed', async () => {
    const { listener } = instanceListener();
    const first = await listen(listener);
    await remote.read(first, request, false);
    await end(first.server);
    const second = await listen(listener, first.port);
    expect((await remote.read(second, request, false)).nextOffset).toBe(42);
  });

  it.each([
    ['another secret', { key: Buffer.alloc(32, 2) }, request, /refused with 403/],
    ['rows of another form', { topology: 'visits@2' }, request, /refused with 409/],
    ['not the task', {}, { ...request, partition: 1 }, /refused with 421/],
    ['only a copy of the task', {}, { ...request, partition: 3 }, /refused with 421/],
  ])('are an outage when it has %s', async (_what, options, asked, message) => {
    const instance = await listen(instanceListener(options).listener);
    const read = remote.read(instance, asked, false);
    await expect(read).rejects.toThrow(StatisticsUnavailable);
    await expect(read).rejects.toThrow(message);
    // A refusal is an answer: the instance is not left alone for it.
    await expect(remote.positions(instance))
      .resolves.toBeDefined()
      .catch(() => undefined);
  });

  it.each([
    ['no JSON', 'x'],
    ['other JSON', '{}'],
    ['the answer to another question', JSON.stringify({ nextOffset: '1', streamTimeMs: 1, values: [], entries: [] })],
  ])('are an outage when it answers with %s', async (_what, text) => {
    const instance = await listen((_request, response) => void response.end(text));
    await expect(remote.read(instance, request, false)).rejects.toThrow(StatisticsUnavailable);
  });

  it('end at the deadline when it says nothing, and leave it alone for a second', async () => {
    openClient(300);
    let asked = 0;
    const instance = await listen(() => asked++);
    const beforeMs = performance.now();
    await expect(remote.read(instance, request, false)).rejects.toThrow(/nothing within 300 ms/);
    expect(performance.now() - beforeMs).toBeLessThan(2_000);
    await expect(remote.read(instance, request, false)).rejects.toThrow(/a moment ago/);
    expect(asked).toBe(1);
    time.now += 1_001;
    await expect(remote.read(instance, request, false)).rejects.toThrow(/nothing within 300 ms/);
    expect(asked).toBe(2);
  });

  it('end at the deadline when it stops in the middle of its answer', async () => {
    openClient(300);
    const instance = await listen((_request, response) => {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('{');
    });
    await expect(remote.read(instance, request, false)).rejects.toThrow(/nothing within 300 ms/);
  });

  it('are an outage when nobody listens there', async () => {
    const instance = await listen(instanceListener().listener);
    await end(instance.server);
    await expect(remote.read(instance, request, false)).rejects.toThrow(StatisticsUnavailable);
  });

  it('are refused beyond a number under way', async () => {
    openClient(300);
    const instance = await listen(() => undefined);
    const reads = Array.from({ length: 1_001 }, () => remote.read(instance, request, false).catch(String));
    expect(await reads[1_000]).toMatch(/1000 calls/);
    await Promise.all(reads);
  });
});
