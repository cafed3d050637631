/** What the main thread and the forwarder's thread say to each other. Structured-clone values only. */
import type { LogFields } from '../ports/logger.ts';
import type { ForwardStatus } from '../worker/forwarder.ts';

export type ToForwarderThread = { readonly type: 'stop' };

export type FromForwarderThread =
  | { readonly type: 'progress'; readonly statuses: readonly ForwardStatus[] }
  | {
      readonly type: 'log';
      readonly level: 'debug' | 'info' | 'warn' | 'error';
      readonly fields: LogFields;
      readonly message: string;
    };

/** What the thread is started with. */
export interface ForwarderThreadData<ShipperOptions> {
  /** The journal's folder. */
  readonly folder: string;
  readonly journalId: string;
  /** What `openSegmentReader` needs to follow the journal. */
  readonly shared: SharedArrayBuffer;
  /** Where to begin, by partition. */
  readonly fromOffsets: readonly number[];
  /** What the shipper is made with. */
  readonly shipper: ShipperOptions;
}
