/**
 * `npm run verify`: counts the raw log again by code of its own, imports nothing of the program, and compares what the running
 * system tells. See `--help`.
 */
import { parseArgs } from 'node:util';
import { compareHttp } from './verify/http-views.js';
import { createInstanceClient } from './verify/instance-client.js';
import { NotPossible } from './verify/not-possible.js';
import { loadOracle } from './verify/oracle.js';
import { createReport, printResult } from './verify/report.js';
import { openSegmentSource } from './verify/segment-source.js';

const help = `npm run verify -- [options]

Reads the raw log of a running Tallyhop, counts it again by code of its own, and compares all views of it. Changes nothing and
may run under load: each answer is compared at the position in the log that it names.

  --url=<address>     Where an instance answers; may be given several times. Default: http://127.0.0.1:<PORT or 3000>
  --host=<name>       Host header to ask with, when the instance only answers under its BASE_URL. Default: that of BASE_URL, if set
  --data-dir=<path>   Folder of the embedded mode. Default: DATA_DIR or ./data
  --sample=<n>        Ask for the statistics and redirects of about n links, evenly chosen. Default: of every link
  --timeout=<s>       How long to wait until the views have reached the end of the log as of the start. Default: 60
  --json              Print one JSON object instead of the table, with up to 100 differences a view

With KAFKA_BROKERS and REDIS_URL set (and CODE_SECRET, TOPIC_PREFIX and the settings of TLS and passwords as the instances have
them) it reads the topics of an installation on many machines, and compares the changelog, Redis and the stores of the instances too.

Counted: links (versions, targets, settings, status), visits of people, of bots and prefetches, first and last visit, quarter
hours. Not counted: names in breakdowns (only their sums) and unique visitors, which are an estimate. When old visits were dropped
by retention, days that are whole in the log are compared, and for all-time numbers only that they are not too low.

Exit code: 0 no drift · 1 drift · 2 could not be done; the message says what to do.`;

const optionTypes = {
  url: { type: 'string', multiple: true },
  host: { type: 'string' },
  'data-dir': { type: 'string' },
  sample: { type: 'string' },
  timeout: { type: 'string', default: '60' },
  json: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
};

process.exitCode = await main().catch((error) => {
  const isExpected = error instanceof NotPossible;
  console.error(isExpected ? error.message : error);
  return 2;
});

async function main() {
  const options = readOptions();
  if (options.help) {
    console.log(help);
    return 0;
  }
  const { source, compareStores, takeChangelog } = await openSource(options);
  const clients = options.urls.map((url) => createInstanceClient({ ...options, url }));
  try {
    const oracle = await loadOracle(source, takeChangelog);
    const report = createReport();
    compareLog(oracle, report, source.name);
    const codes = sampleOf([...oracle.links.links.keys()], options.sample);
    for (const client of clients) await compareHttp(client, oracle, report, { ...options, codes });
    await compareStores({ oracle, report, clients });
    const result = resultOf(options, oracle, report, codes.length);
    if (options.json) console.log(JSON.stringify(result, null, 2));
    else printResult(result, console.log);
    return result.drift === 0 ? 0 : 1;
  } finally {
    for (const client of clients) client.close();
    await source.close();
  }
}

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({ options: optionTypes }));
  } catch (error) {
    throw new NotPossible(`${error.message}\n\n${help}`);
  }
  const { env } = process;
  const number = (name) => {
    if (values[name] === undefined || /^[1-9]\d{0,8}$/.test(values[name])) return Number(values[name]);
    throw new NotPossible(`--${name} is ${values[name]}; it must be a whole number from 1.`);
  };
  const urls = values.url ?? [`http://127.0.0.1:${env.PORT || 3000}`];
  for (const url of urls)
    if (!URL.canParse(url))
      throw new NotPossible(`--url is ${url}; it must be an address such as http://127.0.0.1:3000.`);
  return {
    ...values,
    urls,
    host: values.host ?? (env.BASE_URL ? new URL(env.BASE_URL).host : undefined),
    dataDir: values['data-dir'] ?? (env.DATA_DIR || './data'),
    sample: values.sample === undefined ? null : number('sample'),
    timeoutMs: number('timeout') * 1_000,
  };
}

/** The raw log of the mode, and the comparison of what only this mode keeps. */
async function openSource({ dataDir, timeoutMs }) {
  if (!process.env.KAFKA_BROKERS && !process.env.REDIS_URL) {
    return { source: openSegmentSource(dataDir), compareStores: async () => {}, takeChangelog: () => {} };
  }
  const { openDistributed } = await import('./verify/distributed.js');
  return openDistributed(process.env, timeoutMs);
}

/** Visits whose link nobody made would be counted for nobody. */
function compareLog(oracle, report, place) {
  const view = report.view('raw log', place);
  for (const { partition } of oracle.positions) {
    for (const code of oracle.visitedCodes(partition)) {
      view.compared();
      const isKnown = oracle.links.links.has(code);
      if (!isKnown) view.drift({ key: code, what: 'the link', expected: 'a link', found: 'visits alone' });
    }
  }
}

function sampleOf(codes, sample) {
  if (sample === null || sample >= codes.length) return codes;
  return Array.from({ length: sample }, (_, index) => codes[Math.floor((index * codes.length) / sample)]);
}

function resultOf({ urls, sample }, oracle, report, sampled) {
  const { links, positions } = oracle;
  const notes = [...report.notes];
  if (sample !== null) notes.push(`statistics and redirects of ${sampled} of ${links.links.size} links were asked for`);
  for (const { partition, startOffset } of positions) {
    if (startOffset > 0)
      notes.push(`visits before offset ${startOffset} of partition ${partition} are not in the log any more`);
  }
  return {
    logId: oracle.logId,
    instances: urls,
    positions: positions.map(({ partition, startOffset, nextOffset }) => ({ partition, startOffset, nextOffset })),
    links: { count: links.links.size, ...links.figures },
    visits: oracle.visitFigures(),
    sampled,
    notes,
    views: report.views,
    drift: report.drift(),
  };
}
