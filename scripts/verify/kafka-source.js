/**
 * The raw topics of the distributed mode, read by a plain consumer in a group of its own that goes away with it. kafkajs does not
 * check what brokers keep and jumps over what they lost, so records are checked by their own sums and offsets for holes.
 */
import { isAscii } from 'node:buffer';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import kafkajs from 'kafkajs';
import { NotPossible } from './not-possible.js';

const { Kafka, logLevel } = kafkajs;

/** Visits first: a visit's link is then among the links. */
const names = { visits: 'tallyhop.visits.v1', links: 'tallyhop.links.v1', changelog: 'tallyhop-g1-changelog' };
const zero = Buffer.from([0]);
/** Between two batches of a partition that is waited for. */
const silenceMaxMs = 30_000;

/** Where Kafka is, as the settings of the program say it. @param {Record<string, string | undefined>} env */
export function kafkaSettings(env) {
  const file = (name) => (env[name] ? readFileSync(env[name], 'utf8') : undefined);
  const [ca, cert, key] = ['KAFKA_CA_FILE', 'KAFKA_CERT_FILE', 'KAFKA_KEY_FILE'].map(file);
  const mechanism = env.KAFKA_SASL_MECHANISM;
  const withSasl = mechanism !== undefined && mechanism !== '' && mechanism !== 'off';
  return {
    clientId: 'tallyhop-verify',
    brokers: env.KAFKA_BROKERS.split(',').map((broker) => broker.trim()),
    ...(env.KAFKA_TLS === 'on' && { ssl: { ...(ca && { ca: [ca] }), ...(cert && { cert, key }) } }),
    ...(withSasl && { sasl: { mechanism, username: env.KAFKA_USERNAME, password: env.KAFKA_PASSWORD } }),
  };
}

/**
 * Connects and learns where each partition begins and ends now. Nothing is read before `start`.
 * @param {ReturnType<typeof kafkaSettings>} settings
 * @param {string} topicPrefix
 * Throws NotPossible when the brokers do not answer or the topics are not there.
 */
export async function openKafkaSource(settings, topicPrefix) {
  const kafka = new Kafka({ ...settings, logLevel: logLevel.NOTHING, retry: { retries: 4 } });
  const admin = kafka.admin();
  const groupId = `${topicPrefix}tallyhop-verify-${randomUUID()}`;
  const consumer = kafka.consumer({ groupId, maxWaitTimeInMs: 100, sessionTimeout: 60_000, rebalanceTimeout: 60_000 });
  const topicOf = (role) => topicPrefix + names[role];
  const roleOf = new Map(Object.keys(names).map((role) => [topicOf(role), role]));
  /** @type {Map<string, KafkaPartition>} */
  const partitions = new Map();
  let failure = null;
  let isReading = false;
  const waiting = new Set();

  function fail(error) {
    failure ??= error;
    wake();
  }

  function wake() {
    for (const look of [...waiting]) look();
  }

  async function endOf(role, partition) {
    const offsets = await admin.fetchTopicOffsets(topicOf(role));
    return Number(offsets.find((each) => each.partition === partition).high);
  }

  function passed(partition, nextOffset) {
    return new Promise((resolve, reject) => {
      const { role } = partition;
      const silent = `Kafka gave nothing of partition ${partition.partition} of ${role} for ${silenceMaxMs / 1_000} s`;
      const timer = setTimeout(
        () => fail(new NotPossible(`${silent}: see that its brokers are well, and try again.`)),
        silenceMaxMs,
      );
      let before = partition.nextOffset;
      const look = () => {
        if (failure === null && partition.nextOffset < nextOffset) {
          // What comes of other partitions says nothing about this one.
          if (partition.nextOffset > before) timer.refresh();
          before = partition.nextOffset;
          return;
        }
        clearTimeout(timer);
        waiting.delete(look);
        if (failure === null) resolve();
        else reject(failure);
      };
      waiting.add(look);
      look();
    });
  }

  async function close() {
    if (isReading) await consumer.disconnect().catch(() => {});
    // A group can be taken away once its last member has left it.
    if (isReading) await admin.deleteGroups([groupId]).catch(() => {});
    await admin.disconnect().catch(() => {});
  }

  try {
    await admin.connect();
    for (const [topic, role] of roleOf) {
      for (const { partition, low, high } of await admin.fetchTopicOffsets(topic)) {
        partitions.set(`${role}/${partition}`, new KafkaPartition(role, partition, Number(low), Number(high)));
      }
    }
  } catch (error) {
    await close();
    throw new NotPossible(
      `Kafka at ${settings.brokers.join(', ')} does not give the topics ${[...roleOf.keys()].join(', ')} (${error.message}). ` +
        'Set KAFKA_BROKERS, TOPIC_PREFIX and the settings of TLS and SASL as the program has them, and see that it has run before.',
    );
  }
  const of = (role) =>
    [...partitions.values()].filter((each) => each.role === role).sort((a, b) => a.partition - b.partition);
  if (of('links').length !== of('visits').length) {
    await close();
    throw new NotPossible(
      'links and visits have different numbers of partitions: these topics are not those of the program.',
    );
  }

  return {
    name: settings.brokers.join(','),
    partitions: of('visits').length,
    /** Ends as of the opening, by partition. @param {'links' | 'visits' | 'changelog'} role */
    ends: (role) => of(role).map(({ endAtOpening }) => endAtOpening),
    /**
     * Begins to read all topics from their beginnings on, and goes on until `close`.
     * @param {Record<'links' | 'visits' | 'changelog', (partition: number, record: object) => void>} take
     */
    async start(take) {
      isReading = true;
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) fail(payload.error);
      });
      try {
        await consumer.connect();
        await consumer.subscribe({ topics: [...roleOf.keys()], fromBeginning: true });
        await consumer.run({
          autoCommit: false,
          eachBatch: async ({ batch }) => {
            if (failure !== null) return;
            const role = roleOf.get(batch.topic);
            try {
              partitions.get(`${role}/${batch.partition}`).add(batch, (record) => take[role](batch.partition, record));
              wake();
            } catch (error) {
              fail(error);
            }
          },
        });
      } catch (error) {
        throw new NotPossible(`Kafka at ${settings.brokers.join(', ')} cannot be read: ${error.message}`);
      }
    },
    /**
     * Resolves when everything before `nextOffset` was handed out: by default before the end that the partition has now.
     * @returns {Promise<{ startOffset: number, nextOffset: number }>}
     */
    async advance(role, partition, nextOffset) {
      const found = partitions.get(`${role}/${partition}`);
      await passed(found, nextOffset ?? (await endOf(role, partition)));
      return { startOffset: found.startOffset, nextOffset: found.nextOffset };
    },
    close,
  };
}

class KafkaPartition {
  constructor(role, partition, startOffset, endAtOpening) {
    this.role = role;
    this.partition = partition;
    this.startOffset = startOffset;
    this.endAtOpening = endAtOpening;
    this.nextOffset = startOffset;
    this.isCompacted = role === 'changelog';
  }

  add(batch, take) {
    for (const message of batch.messages) {
      const offset = Number(message.offset);
      // A fetch may give the beginning of a batch again.
      if (offset < this.nextOffset) continue;
      if (offset > this.nextOffset && !this.isCompacted) this.explainHole(offset);
      take(this.role === 'changelog' ? changelogRecord(offset, message) : logRecord(offset, message));
      this.nextOffset = offset + 1;
    }
    this.nextOffset = Math.max(this.nextOffset, Number(batch.lastOffset()) + 1);
  }

  explainHole(offset) {
    if (this.role === 'visits' && this.nextOffset === this.startOffset) {
      this.startOffset = offset;
      return;
    }
    throw new NotPossible(
      `the records from ${this.nextOffset} to ${offset - 1} of partition ${this.partition} of ${this.role} are missing from Kafka: ` +
        'the log is not whole. Restore the topic from a backup.',
    );
  }
}

function headerText(message, name) {
  const value = [message.headers?.[name] ?? []].flat()[0];
  return value === undefined ? undefined : value.toString('latin1');
}

const isSumRight = (sum, parts) =>
  sum !== undefined && /^[0-9a-f]{8}$/.test(sum) && Number.parseInt(sum, 16) === crc32(Buffer.concat(parts));

/** A link event is in CloudEvents' binary mode: its attributes are headers. This is the one JSON that it was, and whose sum it bears. */
function wholeValue(message) {
  const data = message.value ?? Buffer.alloc(0);
  if (headerText(message, 'ce_specversion') === undefined) return data;
  const names = ['specversion', 'id', 'source', 'type', 'time', 'subject'];
  const members = names.map((name) => `"${name}":"${headerText(message, `ce_${name}`) ?? ''}"`);
  return Buffer.concat([Buffer.from(`{${members.join(',')},"data":`, 'latin1'), data, Buffer.from('}')]);
}

/** A record of links or visits. `invalid` says why it was written by no producer of ours. */
function logRecord(offset, message) {
  const key = message.key ?? Buffer.alloc(0);
  const value = wholeValue(message);
  const [producerId, sequence, sum] = ['p', 's', 'c'].map((name) => headerText(message, name));
  const record = { offset, key: key.toString('latin1'), value, producerId, sequence: Number(sequence) };
  const hasIdentity =
    /^[\x21-\x7e]{1,64}$/.test(producerId ?? '') &&
    /^(?:0|[1-9]\d{0,15})$/.test(sequence ?? '') &&
    Number.isSafeInteger(record.sequence);
  if (!hasIdentity || message.key === null || message.value === null || !isAscii(key)) {
    return { ...record, producerId: '', invalid: 'it has no identity, no value, or a key that is none of ours' };
  }
  const parts = [key, zero, Buffer.from(producerId, 'latin1'), zero, Buffer.from(sequence, 'latin1'), zero, value];
  if (!isSumRight(sum, parts)) return { ...record, invalid: 'its checksum does not match' };
  return record;
}

const kinds = { r: 'row', c: 'checkpoint', b: 'barrier' };

function changelogRecord(offset, message) {
  const key = message.key ?? Buffer.alloc(0);
  const value = message.value ?? Buffer.alloc(0);
  const [epoch, send, sum] = ['e', 'n', 'c'].map((name) => headerText(message, name) ?? '');
  const parts = [key, zero, Buffer.from(epoch, 'latin1'), zero, Buffer.from(send, 'latin1'), zero, value];
  const kind = kinds[String.fromCharCode(key[0] ?? 0)];
  const isSound = kind !== undefined && isSumRight(sum, parts);
  return { offset, kind, key: key.toString('latin1', 1), value, epoch: Number(epoch), isSound };
}
