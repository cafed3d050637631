/** A process that keeps one answer, says so and then waits to be killed. Arguments: folder, key. */
import { createLevelAnswerStore } from '../../src/adapters/level/level-answer-store.ts';
import { openLevelStateStore } from '../../src/adapters/level/level-state-store.ts';

const [folder = '', key = ''] = process.argv.slice(2);
const clock = { nowMs: () => 0, monotonicMs: () => 0 };
const answers = createLevelAnswerStore(await openLevelStateStore({ folder }), clock);
await answers.keep(key, { fingerprint: 'f', status: 201, headers: {}, body: 'kept', keptAtMs: 0 });
process.stdout.write('kept\n');
setInterval(() => undefined, 1000);
