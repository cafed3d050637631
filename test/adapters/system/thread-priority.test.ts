import { once } from 'node:events';
import { getPriority, platform } from 'node:os';
import { Worker } from 'node:worker_threads';
import { yieldToOtherThreads } from '../../../src/adapters/system/thread-priority.ts';

describe('a thread that yields', () => {
  it('lets others go first, alone', async () => {
    const module = new URL('../../../dist/adapters/system/thread-priority.js', import.meta.url);
    const code = `
      const { parentPort } = require('node:worker_threads');
      const { readlinkSync } = require('node:fs');
      const { getPriority } = require('node:os');
      import(${JSON.stringify(module.href)}).then(({ yieldToOtherThreads }) => {
        const done = yieldToOtherThreads();
        const own = done ? getPriority(Number(readlinkSync('/proc/thread-self').split('/')[2])) : null;
        parentPort.postMessage({ done, own });
      });`;
    const before = getPriority();
    const worker = new Worker(code, { eval: true });
    const [told] = (await once(worker, 'message')) as [unknown];
    await worker.terminate();
    expect(told).toEqual(platform() === 'linux' ? { done: true, own: 10 } : { done: false, own: null });
    expect(getPriority()).toBe(before);
  });

  it('is never the main thread', () => {
    expect(() => yieldToOtherThreads()).toThrow('the main thread');
  });
});
