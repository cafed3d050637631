import { createServer } from 'node:http';
import supertest from 'supertest';
import { createStartingGate } from '../../src/http/starting-gate.ts';

describe('before an instance has its links', () => {
  const gate = createStartingGate('http://localhost:3000');
  const server = createServer((request, response) => {
    if (!gate.door(request, response)) gate.app(request, response);
  });

  it('lives, is not ready, and calls no code unknown', async () => {
    await supertest(server).get('/livez').expect(200, { status: 'ok' });
    const ready = await supertest(server).get('/readyz').expect(503).expect('Retry-After', '2');
    expect(ready.body).toMatchObject({ status: 'unavailable', checks: { server: 'starting' } });
    for (const path of ['/abc1234', '/api/links/abc1234', '/']) {
      const answer = await supertest(server).get(path).expect(503).expect('Retry-After', '2');
      expect(answer.type).toBe('application/problem+json');
      expect(answer.body).toMatchObject({ status: 503, instance: path });
    }
    await supertest(server).head('/abc1234').expect(503);
    await supertest(server).post('/api/links').send({ url: 'https://example.org/' }).expect(503);
  });

  it('hands everything on once it has them', async () => {
    gate.open(
      (request, response) => request.url === '/abc1234' && Boolean(response.writeHead(302, { Location: '/x' }).end()),
      (_request, response) => void response.end('application'),
    );
    await supertest(server).get('/abc1234').expect(302);
    await supertest(server).get('/').expect(200);
  });
});
