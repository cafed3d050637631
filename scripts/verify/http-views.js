/**
 * What an instance tells over HTTP against the raw log: the list of links, the redirects (by HEAD, which is no visit), and the
 * statistics. Every answer is compared at the position that it names, so the system may go on meanwhile.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { forEachOf } from './instance-client.js';
import { NotPossible } from './not-possible.js';
import { positionsOf, tokenOf } from './position-token.js';
import { countsBetween, dayMs } from './visit-counts.js';

/** A change of a link is seen on every instance within a second; a published end of the log is sooner. */
const seenWithinMs = 5_000;
const pauseMs = 50;
const pageLimit = 100;
const dimensions = ['referrers', 'countries', 'browsers', 'os', 'devices', 'languages', 'sources', 'campaigns'];

const iso = (ms) => (ms === null ? null : new Date(ms).toISOString());

/**
 * @param {import('./instance-client.js').InstanceClient} client
 * @param {import('./oracle.js').Oracle} oracle
 * @param {ReturnType<typeof import('./report.js').createReport>} report
 * @param {{ timeoutMs: number, codes: readonly string[] }} options `codes`: links whose statistics and redirects are asked for
 */
export async function compareHttp(client, oracle, report, options) {
  await checkLog(client, oracle, options);
  if (oracle.links.links.size > 0 && !(await reachEnd(client, oracle, report, options))) return;
  await compareLists(client, oracle, report);
  await compareRedirects(client, oracle, report, options);
  await compareStatistics(client, oracle, report, options);
}

/** Waits until the instance's numbers stand where the log ended at the start; false when it knows of no such end. */
async function reachEnd(client, oracle, report, { timeoutMs }) {
  const view = report.view('end of the log', client.url);
  const [anyCode] = oracle.links.links.keys();
  const path = `/api/links/${anyCode}/stats?asOf=${tokenOf(oracle.logId, oracle.positions)}`;
  const deadline = performance.now() + timeoutMs;
  const seenBy = performance.now() + Math.min(seenWithinMs, timeoutMs);
  for (;;) {
    const { status, json } = await client.get(path);
    if (status === 200) {
      view.compared(oracle.partitions);
      return true;
    }
    if (status === 404) {
      view.drift({
        key: anyCode,
        what: 'the link',
        expected: oracle.links.links.get(anyCode).url,
        found: 'no such link',
      });
      return true;
    }
    if (status === 422) {
      if (performance.now() > seenBy) {
        const expected = oracle.positions.map(({ partition, nextOffset }) => `${partition}:${nextOffset}`).join(' ');
        view.drift({ key: 'visits', what: 'the end', expected, found: 'not in the log of this instance' });
        return false;
      }
    } else if (status !== 503 || performance.now() > deadline) {
      throw new NotPossible(
        `the numbers of ${client.url} did not reach the end of the log within ${timeoutMs} ms (${status} ${json?.title ?? ''}). ` +
          'See /readyz there, and try again with a longer --timeout.',
      );
    }
    await delay(pauseMs);
  }
}

/** Every list names the log it is of. */
async function checkLog(client, oracle, { timeoutMs }) {
  const { status, json } = await client.get('/api/links?limit=1');
  if (status !== 200) {
    throw new NotPossible(
      `${client.url} answers ${status} after ${timeoutMs} ms (${json?.detail ?? 'no answer of this program'}): see /readyz there.`,
    );
  }
  if (positionsOf(oracle.logId, json.position) !== null) return;
  throw new NotPossible(
    `${client.url} has another log than the one that was read (${oracle.logId}): give the --url of the program whose data these are.`,
  );
}

async function compareLists(client, oracle, report) {
  const view = report.view('list of links', client.url);
  const seen = new Set();
  for (const status of ['', '&status=deleted']) {
    for (let cursor = ''; cursor !== null; ) {
      const { links, nextCursor } = await comparePage(`/api/links?limit=${pageLimit}${status}${cursor}`);
      for (const code of links) seen.add(code);
      cursor = nextCursor === null ? null : `&cursor=${encodeURIComponent(nextCursor)}`;
    }
  }
  // A link that changes its status while the lists are read may be in neither.
  for (const [code, link] of oracle.links.links) {
    if (seen.has(code)) continue;
    const { status, json } = await client.get(`/api/links/${code}`);
    view.compared();
    const isGone = oracle.links.statesOf(code).some(({ deletedAt }) => deletedAt !== null);
    if (status === 200) await compareLink(json, null);
    else if (!isGone) view.drift({ key: code, what: 'the link', expected: link.url, found: `missing (${status})` });
  }

  async function comparePage(path) {
    const deadline = performance.now() + seenWithinMs;
    for (;;) {
      const { status, json } = await client.get(path);
      if (status !== 200) throw new NotPossible(`${client.url}${path} answers ${status}: ${json?.title ?? ''}`);
      const positions = positionsOf(oracle.logId, json.position);
      const isBehind = json.links.some(({ code }) => {
        const partition = oracle.partitionOf(code);
        return positions.get(partition) < oracle.positions[partition].nextOffset;
      });
      if (!isBehind || performance.now() > deadline) {
        for (const link of json.links) await compareLink(link, positions);
        return { links: json.links.map(({ code }) => code), nextCursor: json.nextCursor };
      }
      await delay(pauseMs);
    }
  }

  /** `positions` is null for a link read alone, which names no position: then its numbers are left to the statistics. */
  async function compareLink(shown, positions) {
    const { code, version } = shown;
    const link = await linkAtVersion(shown, oracle);
    if (link === undefined) {
      const [known] = oracle.links.statesOf(code).slice(-1);
      view.compared();
      view.drift({ key: code, what: 'version', expected: known?.version ?? null, found: version });
      return;
    }
    const { url, createdAt, updatedAt, expiresAt, maxVisits, tags, note } = link;
    const expected = {
      url,
      createdAt: iso(createdAt),
      updatedAt: iso(updatedAt),
      expiresAt: iso(expiresAt),
      maxVisits,
      tags,
      note,
    };
    if (positions === null) {
      view.compare(code, undefined, expected, shown);
      return;
    }
    const partition = oracle.partitionOf(code);
    const nextOffset = positions.get(partition);
    const at = `${partition}:${nextOffset}`;
    if (nextOffset < oracle.positions[partition].nextOffset || !(await oracle.reaches(partition, nextOffset))) {
      view.compared();
      view.drift({ key: code, what: 'position', expected: oracle.positions[partition].nextOffset, found: nextOffset });
      return;
    }
    const counts = await oracle.visitsAt(code, nextOffset);
    const actual = { ...shown, visits: undefined, status: statusGroup(shown.status, expiresAt) };
    const status = statusGroup(statusOf(link, counts.nonBots), expiresAt);
    if (oracle.wholeFromDay(partition) === 0) {
      const { nonBots, bots, last } = counts;
      Object.assign(actual, shown.visits);
      view.compare(
        code,
        at,
        { ...expected, total: nonBots + bots, nonBots, bots, lastVisitAt: iso(last), status },
        actual,
      );
    } else {
      // Older visits are not in the log any more: there may be more than it says.
      const atLeast = shown.visits.nonBots >= counts.nonBots && shown.visits.bots >= counts.bots;
      view.compare(code, at, { ...expected, numbersOfLog: true }, { ...actual, numbersOfLog: atLeast });
    }
  }
}

/** The state of the log that an answer tells; undefined when the log knows none such. Reads on when the answer is newer. */
async function linkAtVersion({ code, version }, oracle) {
  const known = oracle.links.at(code, version);
  if (known !== undefined) return known;
  await oracle.readLinksOf(code);
  return oracle.links.at(code, version);
}

function statusOf(link, humanVisits) {
  if (link.deletedAt !== null) return 'deleted';
  if (link.disabled) return 'disabled';
  if (link.expiresAt !== null && Date.now() >= link.expiresAt) return 'expired';
  return link.maxVisits !== null && humanVisits >= link.maxVisits ? 'exhausted' : 'active';
}

/** Around the moment of expiry either side of it is right. */
function statusGroup(status, expiresAt) {
  const isNear = expiresAt !== null && Math.abs(Date.now() - expiresAt) < 60_000;
  return isNear && status !== 'deleted' && status !== 'disabled' ? 'about to expire' : status;
}

async function compareRedirects(client, oracle, report, { codes }) {
  const view = report.view('redirects', client.url);
  const isOpen = ({ deletedAt, disabled, expiresAt }) =>
    deletedAt === null && !disabled && (expiresAt === null || expiresAt > Date.now() + 60_000);

  await forEachOf(codes, async (code) => {
    const link = oracle.links.links.get(code);
    // What is gone answers 410, and too many of these are taken for somebody's guessing.
    if (!isOpen(link)) return view.absent();
    view.compared();
    const deadline = performance.now() + seenWithinMs;
    for (;;) {
      const { status, headers } = await client.ask('HEAD', `/${code}`);
      const states = oracle.links.statesOf(code);
      if (status === 302 && states.some(({ url }) => url === headers.location)) return undefined;
      if (status === 410 && states.some((state) => !isOpen(state) || state.maxVisits !== null)) return undefined;
      if (performance.now() > deadline) {
        return view.drift({
          key: code,
          what: 'redirect',
          expected: `302 ${link.url}`,
          found: `${status} ${headers.location ?? ''}`,
        });
      }
      await oracle.readLinksOf(code);
      await delay(pauseMs);
    }
  });
}

async function compareStatistics(client, oracle, report, { codes, timeoutMs }) {
  const view = report.view('statistics', client.url);
  await forEachOf(codes, async (code) => {
    const partition = oracle.partitionOf(code);
    const end = oracle.positions[partition].nextOffset;
    const range = rangeOf(await oracle.visitsAt(code, end), oracle.wholeFromDay(partition));
    const asOf = tokenOf(oracle.logId, [{ partition, nextOffset: end }]);
    const path = `/api/links/${code}/stats?from=${iso(range.fromMs)}&to=${iso(range.toMs)}&asOf=${asOf}`;
    const { status, json } = await client.get(path);
    if (status === 503 || status === 429) {
      throw new NotPossible(`${client.url}${path} still answers ${status} after ${timeoutMs} ms: ${json?.title ?? ''}`);
    }
    if (status !== 200) {
      view.compared();
      view.drift({ key: code, what: 'the statistics', expected: 'an answer', found: `${status} ${json?.title ?? ''}` });
      return;
    }
    const nextOffset = json.position.offset === null ? 0 : Number(json.position.offset) + 1;
    const at = `${partition}:${nextOffset}`;
    const isKnown =
      nextOffset >= end && json.position.partition === partition && (await oracle.reaches(partition, nextOffset));
    if (!isKnown) {
      view.compared();
      view.drift({ key: code, what: 'position', expected: end, found: nextOffset });
      return;
    }
    const counts = await oracle.visitsAt(code, nextOffset);
    view.compare(code, at, expectedStatistics(code, counts, range, json, oracle), shownStatistics(json));
  });
}

/** Whole days around all visits: what is compared is all-time unless old visits are gone from the log. */
function rangeOf(counts, wholeFromDay) {
  const today = Math.floor(Date.now() / dayMs);
  const firstDay = Math.max(counts.days[0]?.day ?? today, wholeFromDay);
  const lastDay = Math.max(counts.days.at(-1)?.day ?? today, today, firstDay);
  return { fromMs: firstDay * dayMs, toMs: (lastDay + 2) * dayMs };
}

function expectedStatistics(code, counts, { fromMs, toMs }, shown, oracle) {
  const { nonBots, bots } = countsBetween(counts, fromMs, toMs);
  const days = counts.days.filter(({ day }) => day * dayMs >= fromMs && day * dayMs < toMs);
  const visited = days.filter(({ first }) => first !== null);
  const starts = shown.series.map(({ start }) => Date.parse(start));
  const series = starts.map((start, index) => {
    const bucket = countsBetween(counts, Math.max(start, fromMs), Math.min(starts[index + 1] ?? toMs, toMs));
    return { total: bucket.nonBots + bucket.bots, nonBots: bucket.nonBots };
  });
  return {
    code,
    url: oracle.links.statesOf(code).find(({ url }) => url === shown.url)?.url ?? oracle.links.links.get(code).url,
    total: nonBots + bots,
    nonBots,
    bots,
    prefetches: days.reduce((sum, { prefetches }) => sum + prefetches, 0),
    firstVisitAt: iso(visited[0]?.first ?? null),
    lastVisitAt: iso(visited.at(-1)?.last ?? null),
    sumOfSeries: nonBots + bots,
    series,
    ...Object.fromEntries(dimensions.map((name) => [`sum of ${name}`, nonBots])),
    'sum of crawlers': bots,
  };
}

function shownStatistics(json) {
  const sumOf = (list, member) => list.reduce((sum, each) => sum + each[member], 0);
  return {
    ...json,
    sumOfSeries: sumOf(json.series, 'total'),
    series: json.series.map(({ total, nonBots }) => ({ total, nonBots })),
    ...Object.fromEntries([...dimensions, 'crawlers'].map((name) => [`sum of ${name}`, sumOf(json[name], 'visits')])),
  };
}
