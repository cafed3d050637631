/**
 * Which partition a key belongs to. The same rule as Kafka's default partitioner, so that a log keeps its order when it
 * moves from the embedded mode to Kafka.
 */

/** `toPositive(murmur2(UTF-8 bytes of key)) % partitions`: org.apache.kafka.clients.producer.internals.BuiltInPartitioner. */
export function partitionOf(key: string, partitions: number): number {
  return partitions === 1 ? 0 : (murmur2(Buffer.from(key, 'utf8')) & 0x7fffffff) % partitions;
}

/** MurmurHash2, 32 bits, seed 0x9747b28c, as a signed number: org.apache.kafka.common.utils.Utils.murmur2. */
export function murmur2(bytes: Uint8Array): number {
  const multiplier = 0x5bd1e995;
  const length = bytes.length;
  const wholeWords = length & ~3;
  const byte = (index: number): number => bytes[index] ?? 0;
  let hash = 0x9747b28c ^ length;
  for (let i = 0; i < wholeWords; i += 4) {
    let word = byte(i) | (byte(i + 1) << 8) | (byte(i + 2) << 16) | (byte(i + 3) << 24);
    word = Math.imul(word, multiplier);
    word ^= word >>> 24;
    hash = Math.imul(hash, multiplier) ^ Math.imul(word, multiplier);
  }
  if (length !== wholeWords) {
    // Bytes beyond the end read as 0, which leaves the hash as it is.
    hash ^= byte(wholeWords) | (byte(wholeWords + 1) << 8) | (byte(wholeWords + 2) << 16);
    hash = Math.imul(hash, multiplier);
  }
  hash ^= hash >>> 13;
  hash = Math.imul(hash, multiplier);
  return hash ^ (hash >>> 15);
}
