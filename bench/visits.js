/** The load as records of the `visits` topic: described and encoded by the program's own code, written to its own log. */
import { createVisitDescription } from '../dist/http/visit-description.js';
import { encodeVisit } from '../dist/serde/visit.js';
import { codeOf, openLog } from './links.js';
import { createLoad, targetOf } from './load.js';

/** What one turn of the event loop takes from that many busy connections becomes one frame. */
const visitsPerFrame = 32;
const framesPerPause = 500;

/** `visits` visits of 30 days, one after the other. */
export function* describedVisits({ visits, links, popularity }) {
  const load = createLoad({ seed: 11, links, popularity, visits });
  const description = createVisitDescription({ saltAt: (atMs) => `day ${Math.floor(atMs / 86_400_000)}` });
  const linkOf = createLinks(links);
  for (let n = 0; n < visits; n++) yield visitOf(load.next(), description, linkOf);
}

/** Writes `visits` visits of 30 days into the log of a new folder of data. */
export async function writeVisits(dataDir, { visits, links, popularity }) {
  const { log, journal } = await openLog(dataDir, 'off');
  const described = describedVisits({ visits, links, popularity });
  let failure = null;
  const done = (error) => {
    failure ??= error;
  };
  for (let n = 0; n < visits; ) {
    for (let i = 0; i < visitsPerFrame && n < visits; i++, n++) {
      const visit = described.next().value;
      journal.append(visit.code, encodeVisit(visit), done);
    }
    await (n % (visitsPerFrame * framesPerPause) === 0 ? journal.flush() : new Promise(setImmediate));
    if (failure !== null) throw failure;
  }
  await log.close();
}

function visitOf({ link, at, agent, referrer, language, address }, description, linkOf) {
  const headers = { 'user-agent': agent, 'accept-language': language };
  if (referrer !== '') headers.referer = referrer;
  const request = { headers };
  return description.describe(request, linkOf(link), description.classOf(request), at, '', address);
}

function createLinks(count) {
  const links = Array.from({ length: count }, (_, i) => ({ code: codeOf(i), url: targetOf(i), version: 1 }));
  return (i) => links[i];
}
