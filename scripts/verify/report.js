/** What was compared and where views differ from the raw log: gathered by view and instance, printed as a table. */

const examplesMax = 100;
const examplesPrinted = 5;

/** @typedef {ReturnType<ReturnType<typeof createReport>['view']>} ViewReport */

export function createReport() {
  const views = [];
  const notes = [];
  return {
    views,
    notes,
    /** @param {string} text what is worth knowing and no drift */
    note: (text) => notes.push(text),
    /** @param {string} name @param {string} place which instance, or where the view is kept */
    view(name, place) {
      const found = { view: name, place, compared: 0, absent: 0, drift: 0, examples: [] };
      views.push(found);
      return {
        compared: (count = 1) => {
          found.compared += count;
        },
        /** Not in this view, and need not be. */
        absent: (count = 1) => {
          found.absent += count;
        },
        /** @param {{ key: string, what: string, expected?: unknown, found?: unknown, position?: string }} difference */
        drift(difference) {
          found.drift++;
          if (found.examples.length < examplesMax) found.examples.push(difference);
        },
        /** One drift for everything of `key` that differs: expected and found values by name. */
        compare(key, position, expected, actual) {
          found.compared++;
          for (const [what, value] of Object.entries(expected)) {
            if (JSON.stringify(value) === JSON.stringify(actual[what])) continue;
            this.drift({ key, what, expected: value, found: actual[what] ?? null, position });
            return;
          }
        },
      };
    },
    drift: () => views.reduce((sum, { drift }) => sum + drift, 0),
  };
}

/** @param {{ views: object[] }} result as `verify` gives it */
export function printResult(result, print) {
  const { links, visits, views } = result;
  const number = (value) => value.toLocaleString('en-US');
  print(
    `links   ${number(links.count)} (${number(links.events)} events, ${number(links.rejected)} of them without effect)`,
  );
  print(
    `visits  ${number(visits.nonBots + visits.bots)} (${number(visits.nonBots)} of people, ${number(visits.bots)} of bots) ` +
      `and ${number(visits.prefetches)} prefetches, in ${number(visits.records)} records: ${number(visits.repeated)} repeated, ` +
      `${number(visits.gaps)} after a gap, ${number(visits.notCountable)} not countable`,
  );
  print(`at      ${result.positions.map(({ partition, nextOffset }) => `${partition}:${nextOffset}`).join(' ')}`);
  for (const note of result.notes) print(`note    ${note}`);
  print('');
  const head = ['view', 'where', 'compared', 'not kept', 'drift'];
  const lines = views.map(({ view, place, compared, absent, drift }) => [
    ...[view, place],
    ...[compared, absent, drift].map(number),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...lines.map((line) => line[column].length)));
  for (const line of [head, widths.map((width) => '-'.repeat(width)), ...lines]) {
    print(line.map((cell, i) => (i < 2 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '));
  }
  for (const { view, place, drift, examples } of views.filter((each) => each.drift > 0)) {
    print(`\ndrift in ${view} of ${place}:`);
    for (const { key, what, expected, found, position } of examples.slice(0, examplesPrinted)) {
      const at = position === undefined ? '' : ` at ${position}`;
      print(`  ${key}: ${what} is ${JSON.stringify(found)}, the log says ${JSON.stringify(expected)}${at}`);
    }
    if (drift > examplesPrinted)
      print(
        `  and ${number(drift - Math.min(examplesPrinted, examples.length))} more (--json names up to ${examplesMax})`,
      );
  }
  print(`\n${result.drift === 0 ? 'no drift' : `drift: ${number(result.drift)}`}`);
}
