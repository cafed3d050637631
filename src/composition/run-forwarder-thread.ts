/**
 * The inside of the forwarder's thread: readers of the journal, the file that keeps how far it is forwarded, and the way to the
 * main thread, around a forwarder. Which shipper it uses is the caller's choice.
 */
import type { MessagePort } from 'node:worker_threads';
import { ForwardedPositions } from '../adapters/segments/forwarded-positions.ts';
import { openSegmentReader } from '../adapters/segments/segment-reader.ts';
import { systemClock } from '../adapters/system/system-clock.ts';
import type { Logger } from '../ports/logger.ts';
import type { VisitShipper } from '../ports/visit-shipper.ts';
import { Forwarder } from '../worker/forwarder.ts';
import type { ForwarderThreadData, FromForwarderThread, ToForwarderThread } from './forwarder-messages.ts';
import { createSendingLogger } from './sending-logger.ts';

/** Resolves when the main thread has said to stop and what was under way has ended. */
export async function runForwarderThread<ShipperOptions>(
  port: MessagePort,
  data: ForwarderThreadData<ShipperOptions>,
  createShipper: (options: ShipperOptions, logger: Logger) => VisitShipper | Promise<VisitShipper>,
): Promise<void> {
  const { folder, journalId, shared, fromOffsets } = data;
  const send = (message: FromForwarderThread): void => port.postMessage(message);
  const positions = new ForwardedPositions(folder, journalId);
  const logger = createSendingLogger((level, fields, message) => send({ type: 'log', level, fields, message }));
  const shipper = await createShipper(data.shipper, logger);
  const forwarder = new Forwarder({
    readers: fromOffsets.map((_, partition) => openSegmentReader({ folder, topic: 'visits', partition, shared })),
    shipper,
    fromOffsets,
    clock: systemClock,
    save: (offsets) => positions.write(offsets),
    onProgress: (statuses) => send({ type: 'progress', statuses }),
    logger,
  });
  port.on('message', (message: ToForwarderThread) => {
    if (message.type === 'stop') forwarder.stop();
  });
  await forwarder.run();
  await shipper.close();
  port.close();
}
