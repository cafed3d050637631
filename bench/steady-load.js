/** Visits at a steady rate, whatever the answers take: so many requests are begun each moment, over kept connections. */
import http from 'node:http';
import { createLoad } from './load.js';

const turnMs = 5;
const socketsMax = 64;

/** Begins at once. `stop` resolves when all answers are there, with how many were redirects and how many were not. */
export function startSteadyLoad(port, codes, perSecond) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: socketsMax });
  const load = createLoad({ seed: 5, links: codes.length });
  const figures = { redirected: 0, failed: 0 };
  const startMs = performance.now();
  let begun = 0;
  let underWay = 0;
  let idle = () => {};

  function visit() {
    const { link, agent: browser, referrer, language, address } = load.next();
    const headers = { 'user-agent': browser, 'accept-language': language, 'x-forwarded-for': address };
    if (referrer !== '') headers.referer = referrer;
    underWay++;
    const over = (figure) => {
      figures[figure]++;
      underWay--;
      if (underWay === 0) idle();
    };
    const request = http.get({ host: '127.0.0.1', port, path: `/${codes[link]}`, agent, headers }, (answer) => {
      answer.resume();
      answer.on('end', () => over(answer.statusCode === 302 ? 'redirected' : 'failed'));
    });
    request.on('error', () => over('failed'));
  }

  const timer = setInterval(() => {
    const due = ((performance.now() - startMs) * perSecond) / 1_000;
    for (; begun < due; begun++) visit();
  }, turnMs);

  return {
    async stop() {
      clearInterval(timer);
      if (underWay > 0) await new Promise((resolve) => (idle = resolve));
      agent.destroy();
      return figures;
    },
  };
}
