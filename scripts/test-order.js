/**
 * The order of test files for Jest: first those that load the whole machine, side by side with one another; last those of
 * the browser, which look at the clock and should not have them for neighbours.
 */
const first = ['/test/faults/kill-run', '/test/faults/', '/test/scenarios/'];
const last = '/test/browser/';

export default class TestOrder {
  sort(tests) {
    const place = ({ path }) => {
      const name = path.replaceAll('\\', '/');
      if (name.includes(last)) return first.length + 1;
      const found = first.findIndex((part) => name.includes(part));
      return found < 0 ? first.length : found;
    };
    return [...tests].sort((left, right) => place(left) - place(right) || (left.path < right.path ? -1 : 1));
  }

  allFailedTests(tests) {
    return tests;
  }

  shard(tests, { shardIndex, shardCount }) {
    return this.sort(tests).filter((_, index) => index % shardCount === shardIndex - 1);
  }

  cacheResults() {
    // The order needs no memory.
  }
}
