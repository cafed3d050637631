import { createPinoLogger } from '../../../src/adapters/system/pino-logger.ts';

function createCapture(level = 'debug') {
  const lines: string[] = [];
  const logger = createPinoLogger({ level, destination: { write: (line) => void lines.push(line) } });
  return { logger, lines };
}

describe('the logger', () => {
  it('writes one JSON object a line', () => {
    const { logger, lines } = createCapture();
    logger.info({ port: 3000 }, 'listening');
    logger.child({ partition: 2 }).warn({ lagMs: 5 }, 'behind');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 'info', port: 3000, message: 'listening' });
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ level: 'warn', partition: 2, lagMs: 5, message: 'behind' });
    expect(JSON.parse(lines[0] ?? '').time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('leaves out what lies below its level', () => {
    const { logger, lines } = createCapture('warn');
    logger.debug({}, 'a');
    logger.info({}, 'b');
    logger.error({}, 'c');
    expect(lines).toHaveLength(1);
  });

  it.each([
    ['a line break', 'x\r\n{"level":"error","message":"forged"}'],
    ['a terminal colour', '\u001b[31mred'],
    ['a C1 control sequence', '\u009b31mred'],
    ['DEL', 'a\u007fb'],
    ['line separators', 'a\u2028b\u2029c'],
    ['a directional override', 'a\u202egnp.exe'],
    ['NUL', 'a\u0000b'],
  ])('writes %s visibly, and readers get it back (S28)', (_what, hostile) => {
    const { logger, lines } = createCapture();
    logger.info({ code: hostile, nested: { url: hostile }, err: new Error(hostile) }, hostile);
    expect(lines).toHaveLength(1);
    const line = lines[0] ?? '';
    expect(line.endsWith('\n')).toBe(true);
    expect(line.slice(0, -1)).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
    expect(JSON.parse(line)).toMatchObject({ code: hostile, nested: { url: hostile }, message: hostile });
  });

  it('redacts personal data and secrets by their names', () => {
    const { logger, lines } = createCapture();
    const personal = {
      ip: 'CANARY',
      remoteAddress: 'CANARY',
      userAgent: 'CANARY',
      referer: 'CANARY',
      secret: 'CANARY',
      'user-agent': 'CANARY',
      'x-forwarded-for': 'CANARY',
      authorization: 'CANARY',
    };
    logger.info({ ...personal, request: personal, deeper: { headers: personal } }, 'seen');
    expect(lines[0]).not.toContain('CANARY');
    expect(lines[0]).toContain('[redacted]');
  });

  it('writes errors with their name and message', () => {
    const { logger, lines } = createCapture();
    logger.error({ err: new RangeError('too far') }, 'failed');
    expect(JSON.parse(lines[0] ?? '').err).toMatchObject({ type: 'RangeError', message: 'too far' });
  });
});
