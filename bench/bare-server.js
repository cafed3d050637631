/**
 * What the redirect is compared with: a 302 from a Map by bare `node:http` or by Express's `res.redirect`, without
 * counting. `node bare-server.js bare|express <port> <file of code-tab-target lines>`; writes `ready` when it listens.
 */
import { readFileSync } from 'node:fs';
import http from 'node:http';
import express from 'express';

const [kind, port, file] = process.argv.slice(2);
const targets = new Map(
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t')),
);

http.createServer(kind === 'bare' ? answerBare : expressApp()).listen(Number(port), '127.0.0.1', () => {
  console.log('ready');
});

function answerBare(request, response) {
  const target = targets.get(request.url.slice(1));
  if (target === undefined) response.writeHead(404, { 'Content-Length': 0 });
  else response.writeHead(302, { Location: target, 'Cache-Control': 'private, no-store', 'Content-Length': 0 });
  response.end();
}

function expressApp() {
  const app = express();
  app.disable('x-powered-by');
  app.get('/:code', (request, response) => {
    const target = targets.get(request.params.code);
    if (target === undefined) response.sendStatus(404);
    else response.set('Cache-Control', 'private, no-store').redirect(302, target);
  });
  return app;
}
