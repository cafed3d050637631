/**
 * The only door to what kafkajs 2.2.4 does not export: one connection with its SASL handshake and request queue, and the
 * codecs of the requests we send. Typed by hand from its sources; the version is pinned exactly because of this file.
 */
import { createRequire } from 'node:module';
import type { ISocketFactory, KafkaConfig } from 'kafkajs';
import type { Logger } from '../../ports/logger.ts';

const load = createRequire(import.meta.url);

/** kafkajs/src/protocol/encoder. */
export interface WireEncoder {
  readonly buffer: Buffer;
  writeInt8(value: number): WireEncoder;
  writeInt16(value: number): WireEncoder;
  writeInt32(value: number): WireEncoder;
  writeInt64(value: number): WireEncoder;
  writeString(value: string | null): WireEncoder;
  writeBytes(value: Buffer): WireEncoder;
}

/** A request with the reader of its answer: what a connection sends. */
export interface WireExchange<Answer> {
  readonly request: {
    readonly apiKey: number;
    readonly apiVersion: number;
    readonly apiName: string;
    readonly encode: () => Promise<WireEncoder>;
  };
  readonly response: {
    readonly decode: (payload: Buffer) => Promise<DecodedAnswer<Answer>>;
    readonly parse: (answer: DecodedAnswer<Answer>) => Promise<Answer>;
  };
}

export type DecodedAnswer<Answer> = Answer & { readonly clientSideThrottleTime?: number | null };

/** Highest versions that a broker speaks, by API key. */
export type ApiVersions = Readonly<Record<string, { readonly minVersion: number; readonly maxVersion: number }>>;

/** kafkajs/src/network/connection. Used once: a broken one is thrown away. */
export interface WireConnection {
  /** Set from the beginning of `connect` on. */
  readonly socket?: { destroy(error: Error): void };
  connect(): Promise<unknown>;
  setVersions(versions: ApiVersions): void;
  setSupportAuthenticationProtocol(isSupported: boolean): void;
  authenticate(): Promise<void>;
  isConnected(): boolean;
  send<Answer>(exchange: WireExchange<Answer> & { readonly logResponseError: boolean }): Promise<Answer>;
}

interface WireConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: unknown;
  readonly socketFactory: ISocketFactory;
  readonly ssl: object | null;
  readonly sasl: object | null;
  readonly connectionTimeout: number;
  readonly requestTimeout: number;
  readonly enforceRequestTimeout: boolean;
}

export interface MetadataAnswer {
  readonly brokers: readonly { readonly nodeId: number; readonly host: string; readonly port: number }[];
  readonly clusterId: string | null;
  readonly controllerId: number;
  readonly topicMetadata: readonly {
    readonly topicErrorCode: number;
    readonly topic: string;
    readonly partitionMetadata: readonly {
      readonly partitionErrorCode: number;
      readonly partitionId: number;
      readonly leader: number;
      readonly replicas: readonly number[];
    }[];
  }[];
}

interface ApiVersionsAnswer {
  readonly apiVersions: readonly {
    readonly apiKey: number;
    readonly minVersion: number;
    readonly maxVersion: number;
  }[];
}

interface Definitions<Question, Answer> {
  protocol(options: { readonly version: number }): (question: Question) => WireExchange<Answer>;
}

const { requests } = load('kafkajs/src/protocol/requests') as {
  readonly requests: {
    readonly ApiVersions: Definitions<void, ApiVersionsAnswer>;
    readonly Metadata: Definitions<
      { readonly topics: readonly string[]; readonly allowAutoTopicCreation: boolean },
      MetadataAnswer
    >;
  };
};
const Connection = load('kafkajs/src/network/connection') as new (options: WireConnectionOptions) => WireConnection;
const Encoder = load('kafkajs/src/protocol/encoder') as new (initialSize?: number) => WireEncoder;
const createSocketFactory = load('kafkajs/src/network/socketFactory') as () => ISocketFactory;
const { createLogger } = load('kafkajs/src/loggers') as {
  readonly createLogger: (options: { readonly level: number; readonly logCreator: object }) => unknown;
};
const { createErrorFromCode } = load('kafkajs/src/protocol/error') as {
  readonly createErrorFromCode: (code: number) => Error & { readonly type: string; readonly retriable: boolean };
};

interface RequestQueue {
  readonly pending: readonly unknown[];
  scheduleCheckPendingRequests(): void;
}

const { prototype: queuePrototype } = load('kafkajs/src/network/requestQueue') as { readonly prototype: RequestQueue };
const schedule = queuePrototype.scheduleCheckPendingRequests;
/** With nothing pending it would look again every millisecond for ever, on each connection (tulios/kafkajs#1704). */
queuePrototype.scheduleCheckPendingRequests = function scheduleWhenPending(this: RequestQueue): void {
  if (this.pending.length > 0) schedule.call(this);
};

/** What a library's own log line becomes: debugging. What matters of it reaches us as an error, and is told by who knows what it means. */
export function quietLogCreator(logger: Logger): NonNullable<KafkaConfig['logCreator']> {
  return () =>
    ({ namespace, label, log }) => {
      logger.debug({ namespace, level: label, error: log['error'] ?? undefined }, `kafkajs: ${log.message}`);
    };
}

/** kafkajs' level up to which lines are made at all: warnings and errors. */
export const quietLogLevel = 2;

export function createWireLogger(logger: Logger): unknown {
  return createLogger({ level: quietLogLevel, logCreator: quietLogCreator(logger) });
}

/** `connectMaxMs` bounds TCP and TLS. Requests have no deadline here: whoever sends one breaks the connection at its own. */
export function createWireConnection(options: {
  readonly host: string;
  readonly port: number;
  readonly clientId: string;
  readonly logger: unknown;
  readonly ssl: object | null;
  readonly sasl: object | null;
  readonly connectMaxMs: number;
}): WireConnection {
  const { connectMaxMs, ...rest } = options;
  return new Connection({
    ...rest,
    // The library keeps its authenticator in the object it is given.
    sasl: rest.sasl && { ...rest.sasl },
    socketFactory: createSocketFactory(),
    connectionTimeout: connectMaxMs,
    requestTimeout: connectMaxMs,
    enforceRequestTimeout: false,
  });
}

export function createEncoder(initialBytes: number): WireEncoder {
  return new Encoder(initialBytes);
}

export function apiVersionsExchange(): WireExchange<ApiVersionsAnswer> {
  return requests.ApiVersions.protocol({ version: 2 })();
}

export function metadataExchange(topics: readonly string[]): WireExchange<MetadataAnswer> {
  return requests.Metadata.protocol({ version: 6 })({ topics, allowAutoTopicCreation: false });
}

/** A broker's error code as its name, such as `NOT_LEADER_FOR_PARTITION`. */
export function errorName(code: number): string {
  return createErrorFromCode(code).type;
}
