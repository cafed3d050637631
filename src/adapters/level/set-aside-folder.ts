/** Moves the folder of a store that cannot be used out of the way, and keeps it for a person to look at. */
import { rename } from 'node:fs/promises';
import type { Clock } from '../../ports/clock.ts';

/**
 * Renames `folder` to `<folder>.damaged-<time>` and resolves with the new name; a new store can be opened in its place.
 * The store must be closed.
 */
export async function setAsideFolder(folder: string, clock: Clock): Promise<string> {
  const time = new Date(clock.nowMs()).toISOString().replaceAll(/[-:.]/g, '');
  for (let attempt = 1; ; attempt += 1) {
    const name = `${folder}.damaged-${time}${attempt === 1 ? '' : `-${attempt}`}`;
    try {
      await rename(folder, name);
      return name;
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if ((code !== 'ENOTEMPTY' && code !== 'EEXIST') || attempt === 100) throw error;
    }
  }
}
