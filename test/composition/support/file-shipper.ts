/**
 * A shared log as a file for each partition, one line a visit: it outlives the process that ships, and is away while a file
 * says so. Now and then it takes a batch and its answer is lost.
 */
import { appendFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { LogUnavailable } from '../../../src/ports/event-log.ts';
import type { VisitShipper } from '../../../src/ports/visit-shipper.ts';

export interface FileShipperOptions {
  readonly folder: string;
  /** The answer to every so manieth batch is lost; 0 for none. */
  readonly loseAnswerEvery: number;
}

/** Names of files that say what the shipper is to do while they are there. */
export const away = 'away';
export const hanging = 'hanging';
export const crashing = 'crashing';

export interface ArrivedLine {
  readonly key: string;
  readonly value: string;
  readonly producerId: string;
  readonly sequence: number;
}

export function createFileShipper({ folder, loseAnswerEvery }: FileShipperOptions): VisitShipper {
  let batches = 0;
  const isToldTo = (what: string): boolean => existsSync(join(folder, what));
  return {
    async ship(partition, visits) {
      if (isToldTo(crashing))
        setImmediate(() => {
          throw new Error('a defect in a client');
        });
      if (isToldTo(hanging) || isToldTo(crashing)) return new Promise(() => undefined);
      if (isToldTo(away)) throw new LogUnavailable('the log is away');
      const lines = visits.map(({ key, value, producerId, sequence }) =>
        JSON.stringify({ key, value: value.toString(), producerId, sequence }),
      );
      appendFileSync(join(folder, `${partition}.log`), `\n${lines.join('\n')}\n`);
      batches += 1;
      if (batches % loseAnswerEvery === 0) throw new LogUnavailable('the answer was lost');
    },
    close: async () => undefined,
  };
}

/** What the log holds of each partition. A kill may cut a batch in the middle of a line, which then did not arrive. */
export function readArrived(folder: string): Map<number, ArrivedLine[]> {
  const names = readdirSync(folder).filter((name) => /^\d+\.log$/.test(name));
  return new Map(
    names.map((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n');
      const whole = lines.filter((line) => line.endsWith('}'));
      return [Number.parseInt(name, 10), whole.map((line) => JSON.parse(line) as ArrivedLine)];
    }),
  );
}
