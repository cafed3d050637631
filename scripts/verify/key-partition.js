/** Which partition a code belongs to: Kafka's murmur2 over its bytes, positive, modulo the number of partitions. */

/** @param {string} code ASCII */
export function partitionOfCode(code, partitions) {
  return (murmur2(Buffer.from(code, 'latin1')) & 0x7fffffff) % partitions;
}

/** org.apache.kafka.common.utils.Utils.murmur2, as a signed 32-bit number. */
function murmur2(bytes) {
  const m = 0x5bd1e995;
  let h = 0x9747b28c ^ bytes.length;
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) {
    let k = Math.imul(bytes.readInt32LE(at), m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = bytes.length - at;
  if (rest === 3) h ^= bytes[at + 2] << 16;
  if (rest >= 2) h ^= bytes[at + 1] << 8;
  if (rest >= 1) h = Math.imul(h ^ bytes[at], m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}
