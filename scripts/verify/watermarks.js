/**
 * Which records of a partition count: each producer numbers its own from 0 without holes, so that a number not above the
 * highest one counted is a repetition. What is remembered depends on the records alone.
 */
const reach = 100_000_000;
const silenceMs = 35 * 24 * 60 * 60_000;
const producersMax = 8_000;
const producerIdLengthMax = 48;

export function createWatermarks() {
  /** @type {Map<string, { sequence: number, seenMs: number }>} */
  const producers = new Map();

  function forgetLongestSilent() {
    let [longestId, longest] = [null, null];
    for (const [id, producer] of producers) {
      const isOlder = longest === null || producer.seenMs < longest.seenMs;
      if (isOlder || (producer.seenMs === longest.seenMs && id < longestId)) [longestId, longest] = [id, producer];
    }
    producers.delete(longestId);
  }

  return {
    /** @returns {'counts' | 'counts after a gap' | 'repeated' | 'not believed'} at the stream time of the records before it */
    judge(producerId, sequence, streamTimeMs) {
      const producer = producers.get(producerId);
      const isKnown = producer !== undefined && streamTimeMs - producer.seenMs <= silenceMs;
      const ahead = sequence - (isKnown ? producer.sequence : -1);
      if (ahead <= 0) return 'repeated';
      if (producer === undefined && !(producerId.length <= producerIdLengthMax && /^[\x21-\x7e]+$/.test(producerId))) {
        return 'not believed';
      }
      if (ahead === 1) return 'counts';
      return ahead <= reach ? 'counts after a gap' : 'not believed';
    },
    raise(producerId, sequence, streamTimeMs) {
      const producer = producers.get(producerId);
      if (producer !== undefined) {
        producer.sequence = sequence;
        producer.seenMs = streamTimeMs;
        return;
      }
      if (producers.size >= producersMax) forgetLongestSilent();
      producers.set(producerId, { sequence, seenMs: streamTimeMs });
    },
    size: () => producers.size,
  };
}
