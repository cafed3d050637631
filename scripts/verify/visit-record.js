/**
 * The value of a record of `visits`: a JSON array by position (version 1, time, version of the link, class, rules, agent,
 * browser, system, device, crawler, language, referrer, country, visitor, source, three UTM values). Only a whole one counts.
 */
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const neverInText = /[\p{Cc}\p{Surrogate}]/u;
const lengths = { 4: 80, 5: 160, 6: 40, 7: 40, 8: 40, 9: 40, 11: 100, 15: 120, 16: 120, 17: 120 };
const utmCodePointsMax = 60;

/**
 * @param {string} key
 * @param {Buffer} value
 * @returns {{ at: number, kind: 'human' | 'bot' | 'prefetch' } | string} what is wrong with it when it is no visit
 */
export function parseVisit(key, value) {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(key)) return 'its key is not a code';
  let visit;
  try {
    visit = JSON.parse(utf8.decode(value));
  } catch {
    return 'its value is not JSON';
  }
  if (!Array.isArray(visit) || visit[0] !== 1) return 'it is not a visit of version 1';
  if (visit.length !== 18) return `it has ${visit.length} members`;
  const [, at, linkVersion, kind, , , , , , , language, , country, visitor, source] = visit;
  if (!isInteger(at, 0, 8.64e15) || !isInteger(linkVersion, 1, Number.MAX_SAFE_INTEGER)) return 'its numbers are wrong';
  if (!isInteger(visitor, 0, 0xffff_ffff)) return 'its visitor is wrong';
  if (kind !== 'human' && kind !== 'bot' && kind !== 'prefetch') return 'its class is wrong';
  if (source !== 'link' && source !== 'qr') return 'its source is wrong';
  if (typeof language !== 'string' || !/^(?:[a-z]{2,3})?$/.test(language)) return 'its language is wrong';
  if (typeof country !== 'string' || !/^(?:[A-Z]{2})?$/.test(country)) return 'its country is wrong';
  for (const [place, max] of Object.entries(lengths)) {
    const text = visit[place];
    if (typeof text !== 'string' || text.length > max || neverInText.test(text)) return `its member ${place} is wrong`;
  }
  for (let place = 15; place <= 17; place++) {
    if ([...visit[place]].length > utmCodePointsMax) return `its member ${place} is too long`;
  }
  return { at, kind };
}

function isInteger(value, min, max) {
  return Number.isSafeInteger(value) && value >= min && value <= max;
}
