/** A process that writes batches without end and says the number of each one written. Argument: the store's folder. */
import { openLevelStateStore } from '../../src/adapters/level/level-state-store.ts';

const [folder = ''] = process.argv.slice(2);
const store = await openLevelStateStore({ folder, writeBufferBytes: 64 * 1024 });
let round = Number(Buffer.from(store.getSync('round') ?? []).toString());
for (;;) {
  round += 1;
  const batch = store.batch();
  batch.put('round', Buffer.from(String(round)));
  for (let index = 0; index < 50; index += 1) {
    batch.put(`row/${(round * 7919 + index * 104_729) % 5000}`, Buffer.from(`${round}:${'x'.repeat(index * 8)}`));
    batch.put(`slot/${index}`, Buffer.from(String(round)));
  }
  await batch.write();
  process.stdout.write(`${round}\n`);
}
