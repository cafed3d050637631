/** The commands over a log and a link table in memory, with a clock and a randomness that tests steer. */
import { createHmac } from 'node:crypto';
import type { CommandContext } from '../../src/commands/command-context.ts';
import { createLinkCommands, type LinkCommands } from '../../src/commands/link-commands.ts';
import type { Link } from '../../src/domain/link.ts';
import type { NewLink } from '../../src/domain/link-input.ts';
import type { CodeHmac } from '../../src/domain/short-code.ts';
import { someSettings } from './link-builders.ts';
import { TestEventLog } from './test-event-log.ts';
import { TestLinkTable } from './test-link-table.ts';

export interface CommandBench extends LinkCommands {
  readonly log: TestEventLog;
  readonly table: TestLinkTable;
  readonly codeHmac: CodeHmac;
  /** The time that commands read. */
  readonly time: { nowMs: number };
  /** Codes of links whose visits are used up. */
  readonly exhausted: Set<string>;
  /** Random codes that come first; afterwards they are `random1`, `random2` and so on, in seven characters. */
  readonly nextRandomCodes: string[];
  /** The first bytes of which each random code was asked to be made. */
  readonly codeSeeds: readonly string[];
  /** A command of its own, or a given one again. */
  context(members?: Partial<CommandContext>): CommandContext;
  /** A second instance over the same log and table. */
  anotherInstance(): LinkCommands;
}

export function createCommandBench(
  codeHmac: CodeHmac = (data) => createHmac('sha256', 'test secret').update(data).digest(),
): CommandBench {
  const table = new TestLinkTable();
  const log = new TestEventLog(3, (partition, record) => table.fold(partition, record));
  const time = { nowMs: 1_000_000 };
  const exhausted = new Set<string>();
  const nextRandomCodes: string[] = [];
  const codeSeeds: string[] = [];
  let ids = 0;
  let codes = 0;
  const deps = {
    log,
    linkTable: table,
    codeHmac,
    clock: { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs },
    random: {
      bytes: (size: number) => new Uint8Array(size),
      id: () => `id-${++ids}`,
      code: (size: number, bytes?: (count: number) => Uint8Array) => {
        if (bytes !== undefined) codeSeeds.push(Buffer.from(bytes(8)).toString('hex'));
        return nextRandomCodes.shift() ?? `r${String(++codes).padStart(size - 1, '0')}`;
      },
    },
    isExhausted: async (link: Link) => exhausted.has(link.code),
  };
  return {
    ...createLinkCommands(deps),
    log,
    table,
    codeHmac,
    time,
    exhausted,
    nextRandomCodes,
    codeSeeds,
    context: (members = {}) => ({ commandId: `command-${++ids}`, by: 'anonymous', expectedVersion: null, ...members }),
    anotherInstance: () => createLinkCommands(deps),
  };
}

export function aNewLink(members: Partial<NewLink> = {}): NewLink {
  return { ...someSettings, alias: null, unique: false, ...members };
}
