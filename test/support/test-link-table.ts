/** A link table in memory: the fold of the `links` topic in Maps, record by record, without a store. */
import { evolve, isEffective, type Link } from '../../src/domain/link.ts';
import type { LogRecord } from '../../src/ports/event-log.ts';
import type { CommandOutcome, FoldedEvent, LinkScan, LinkTable, TagCount } from '../../src/ports/link-table.ts';
import { decodeLinkEvent } from '../../src/serde/link-event.ts';

export class TestLinkTable implements LinkTable {
  readonly #links = new Map<string, Link>();
  readonly #outcomes = new Map<string, CommandOutcome>();
  readonly #history = new Map<string, FoldedEvent[]>();
  readonly #nextOffsets = new Map<number, number>();
  readonly #listeners = new Set<(link: Link) => void>();
  #waiting: { partition: number; offset: number; resolve: () => void }[] = [];

  fold(partition: number, record: LogRecord): void {
    const event = decodeLinkEvent(record.value);
    const before = this.#links.get(event.code);
    const known = before === undefined ? undefined : this.#outcomes.get(event.commandId);
    const isKnownEffective = known !== undefined && known.version !== null;
    const wasEffective = isKnownEffective && known.code === event.code;
    const effective = !wasEffective && isEffective(before, event);
    const link = effective ? evolve(before, event, this.#links.size + 1) : before;
    if (link !== undefined) this.#links.set(event.code, link);
    const version = link?.version ?? 0;
    if (effective || !isKnownEffective) {
      const { commandId, code } = event;
      this.#outcomes.set(commandId, { commandId, code, version: effective ? version : null, offset: record.offset });
    }
    const history = this.#history.get(event.code) ?? [];
    history.push({ event, partition, offset: record.offset, version, effective });
    this.#history.set(event.code, history);
    this.#nextOffsets.set(partition, record.offset + 1);
    const isDone = (wait: { partition: number; offset: number }) => this.#isApplied(wait.partition, wait.offset);
    for (const wait of this.#waiting.filter(isDone)) wait.resolve();
    this.#waiting = this.#waiting.filter((wait) => !isDone(wait));
    if (effective && link !== undefined) for (const listener of this.#listeners) listener(link);
  }

  find(code: string): Link | undefined {
    return this.#links.get(code);
  }

  outcomeOf(commandId: string): CommandOutcome | undefined {
    return this.#outcomes.get(commandId);
  }

  applied(partition: number, offset: number): Promise<void> {
    if (this.#isApplied(partition, offset)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting.push({ partition, offset, resolve });
    });
  }

  async history(code: string, afterOffset: number, limit: number): Promise<readonly FoldedEvent[]> {
    return (this.#history.get(code) ?? []).filter((folded) => folded.offset > afterOffset).slice(0, limit);
  }

  async scan({ url, tag, descending, afterOrdinal, limit }: LinkScan): Promise<readonly Link[]> {
    const links = [...this.#links.values()].sort((left, right) => left.ordinal - right.ordinal);
    if (descending) links.reverse();
    const isBehind = (link: Link) =>
      afterOrdinal === undefined || (descending ? link.ordinal < afterOrdinal : link.ordinal > afterOrdinal);
    const isMeant = (link: Link) =>
      (url === undefined || link.url === url) &&
      (tag === undefined || link.tags.some((each) => each.toLowerCase() === tag.toLowerCase()));
    return links.filter((link) => isBehind(link) && isMeant(link)).slice(0, limit);
  }

  async tags(): Promise<readonly TagCount[]> {
    const counts = new Map<string, number>();
    for (const link of this.#links.values()) {
      if (link.deletedAt === null) for (const tag of link.tags) counts.set(tag, (counts.get(tag) ?? 0) + 1);
    }
    return [...counts]
      .map(([name, links]) => ({ name, links }))
      .sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  size(): number {
    return this.#links.size;
  }

  onChange(listener: (link: Link) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #isApplied(partition: number, offset: number): boolean {
    return (this.#nextOffsets.get(partition) ?? 0) > offset;
  }
}
