/** A changelog that never has two appends under way: one that nobody waits for any more still comes to its end before the next begins. */
import type { Changelog } from '../ports/changelog.ts';

/** @param changelog used for one partition only */
export function serialAppends(changelog: Changelog): Changelog {
  let last: Promise<unknown> = Promise.resolve();
  return {
    append(partition, entries, epoch, send) {
      const next = last.then(() => changelog.append(partition, entries, epoch, send));
      last = next.catch(() => undefined);
      return next;
    },
    reader: (partition) => changelog.reader(partition),
    endOffset: (partition) => changelog.endOffset(partition),
    close: () => changelog.close(),
  };
}
