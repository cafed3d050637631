/**
 * Structured logging by pino: one JSON object a line, in plain visible characters. Fields that could carry personal data
 * or secrets are redacted by name; that is the second net, callers do not pass them.
 */
import { type Logger as Pino, pino } from 'pino';
import type { LogFields, Logger } from '../../ports/logger.ts';

export interface PinoLoggerOptions {
  /** `fatal`, `error`, `warn`, `info`, `debug`, `trace` or `silent`. */
  readonly level: string;
  /** Where lines go; standard output by default. */
  readonly destination?: { write(line: string): void };
}

const unwrittenMaxBytes = 1024 * 1024;

const redactedNames = [
  'address',
  'authorization',
  'clientAddress',
  'codeSecret',
  'cookie',
  'ip',
  'password',
  'referer',
  'referrer',
  'remoteAddress',
  'salt',
  'secret',
  'userAgent',
  '["user-agent"]',
  '["x-forwarded-for"]',
];

const redactedPaths = redactedNames.flatMap((name) =>
  ['', '*', '*.*'].map((parent) => (parent === '' || name.startsWith('[') ? `${parent}${name}` : `${parent}.${name}`)),
);

export function createPinoLogger(options: PinoLoggerOptions): Logger {
  const destination = options.destination ?? openStandardOutput();
  return wrap(
    pino(
      {
        level: options.level,
        base: null,
        messageKey: 'message',
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (level) => ({ level }) },
        redact: { paths: redactedPaths, censor: '[redacted]' },
      },
      { write: (line: string) => destination.write(escapeUnseen(line)) },
    ),
  );
}

/** A full disk behind the output costs lines, never the process: what cannot be written waits within a bound, then is dropped. */
function openStandardOutput(): { write(line: string): void } {
  const output = pino.destination({ fd: 1, sync: true, maxLength: unwrittenMaxBytes });
  output.on('error', () => {});
  return output;
}

function wrap(logger: Pino): Logger {
  return {
    debug: (fields, message) => logger.debug(fields, message),
    info: (fields, message) => logger.info(fields, message),
    warn: (fields, message) => logger.warn(fields, message),
    error: (fields, message) => logger.error(fields, message),
    child: (fields: LogFields) => wrap(logger.child(fields)),
  };
}

/**
 * JSON leaves DEL, C1 controls (a terminal obeys U+009B), line separators and directional marks as they are; in a log
 * they would forge lines or hide text.
 */
function escapeUnseen(line: string): string {
  return line.replace(
    /[\u007f-\u009f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
