/** Entry of `npm run dead-letters`: shows what could not be counted, and brings back what can be counted now. See `--help`. */
import { parseArgs } from 'node:util';
import { type DeadLetterDesk, openDeadLetterDesk } from './composition/dead-letter-desk.ts';
import { ConfigError, parseConfig } from './config.ts';

const help = `npm run dead-letters -- list [--json]
npm run dead-letters -- replay <origin>... | --all [--json]

Records of visits that could not be counted, of the installation that KAFKA_BROKERS and the other settings name: those of an
instance with ROLE=web,worker will do. An origin is where the record stands: topic:partition:offset.

  list     Shows them: where, why, whose, how long, the first bytes.
  replay   Writes them into the log of visits again, where each is counted once, and takes them away here. What this release
           cannot read either is refused and stays. --all leaves out what no producer of ours wrote whole.
           Broken off in the middle, it is finished by the next replay.
  --json   One JSON object instead of text; values are in base64.

Exit code: 0 done · 1 something was refused · 2 could not be done; the message says why.`;

process.exitCode = await main().catch((error: Error) => {
  const isExpected = error instanceof ConfigError || error.name === 'LogUnavailable' || 'code' in error;
  console.error(isExpected ? error.message : error);
  return 2;
});

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { all: { type: 'boolean' }, json: { type: 'boolean' }, help: { type: 'boolean' } },
  });
  const [command, ...origins] = positionals;
  const { all = false, json = false } = values;
  const isList = command === 'list' && origins.length === 0 && !all;
  const isReplay = command === 'replay' && origins.length > 0 !== all;
  if (values.help === true || !(isList || isReplay)) {
    console.error(help);
    return values.help === true ? 0 : 2;
  }
  const { distributed } = parseConfig();
  if (distributed === null) {
    console.error('KAFKA_BROKERS and REDIS_URL are not set: a single process keeps its dead letters in its stores.');
    return 2;
  }
  const desk = openDeadLetterDesk(distributed);
  try {
    return isList ? await list(desk, json) : await replay(desk, all ? null : origins, json);
  } finally {
    await desk.close();
  }
}

async function list(desk: DeadLetterDesk, json: boolean): Promise<number> {
  const { letters, more } = await desk.list();
  if (json) {
    const shown = letters.map(({ value, ...letter }) => ({ ...letter, value: value.toString('base64') }));
    console.log(JSON.stringify({ letters: shown, more }));
    return 0;
  }
  for (const { origin, reason, key, producerId, sequence, length, value, notReplayable } of letters) {
    console.log(origin);
    console.log(`  why:    ${reason}`);
    console.log(`  key:    ${key ?? 'not kept'}`);
    console.log(
      `  whose:  ${producerId === null ? 'of no producer of ours, or not whole' : `${producerId}, ${sequence}`}`,
    );
    console.log(
      `  value:  ${length} bytes, ${JSON.stringify(value.toString('latin1', 0, 80)).replace(/[^\x20-\x7e]/g, '?')}`,
    );
    console.log(`  replay: ${notReplayable ?? 'can be counted now'}`);
  }
  console.log(`${letters.length} dead letters${more > 0 ? `, and ${more} newer ones that are not shown` : ''}`);
  return 0;
}

async function replay(desk: DeadLetterDesk, origins: readonly string[] | null, json: boolean): Promise<number> {
  const { replayed, refused } = await desk.replay(origins);
  if (json) {
    console.log(JSON.stringify({ replayed: replayed.map(({ origin }) => origin), refused }));
  } else {
    for (const { origin } of replayed) console.log(`${origin} replayed`);
    for (const { origin, why } of refused) console.log(`${origin} refused: ${why}`);
    console.log(`${replayed.length} replayed, ${refused.length} refused`);
  }
  return refused.length === 0 ? 0 : 1;
}
