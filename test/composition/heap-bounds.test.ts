/** Bounds of the heap are V8's flags, which are those of a process: each case is one. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { scripts: { start: string } };
const startFlags = scripts.start.split(' ').slice(1, -1);

const program = `
  import { getHeapStatistics } from 'node:v8';
  import { Worker } from 'node:worker_threads';
  import { leaveThreadsUnbounded } from './dist/composition/heap-bounds.js';
  const limit = () => Math.round(getHeapStatistics().heap_size_limit / 1048576);
  const main = limit();
  leaveThreadsUnbounded();
  const source = 'const { parentPort } = require("node:worker_threads");' +
    'parentPort.postMessage(Math.round(require("node:v8").getHeapStatistics().heap_size_limit / 1048576));';
  new Worker(source, { eval: true, execArgv: [] }).on('message', (thread) => console.log(JSON.stringify({ main, thread })));
`;

/** MiB of heap that V8 allows to the main thread and to one begun after the call. */
function limits(flags: readonly string[], nodeOptions?: string): { main: number; thread: number } {
  const { stdout, stderr } = spawnSync(process.execPath, [...flags, '--input-type=module', '--eval', program], {
    cwd: root,
    encoding: 'utf8',
    env: { PATH: process.env.PATH, ...(nodeOptions !== undefined && { NODE_OPTIONS: nodeOptions }) },
  });
  expect(stderr).toBe('');
  return JSON.parse(stdout);
}

describe('the bounds of the heap', () => {
  it("of `npm start` are the main thread's, and threads have Node's own", () => {
    const own = limits([]);
    const { main, thread } = limits(startFlags);
    expect(main).toBeGreaterThanOrEqual(1_024);
    expect(main).toBeLessThan(1_200);
    expect(thread).toBe(own.thread);
  });

  it('that somebody sets for all threads stay', () => {
    const { main, thread } = limits([], '--max-old-space-size=300');
    expect(main).toBeLessThan(600);
    expect(thread).toBe(main);
  });
});
