/** A logger that keeps what it is told, for tests that ask what was said. */
import type { LogFields, Logger } from '../../src/ports/logger.ts';

export interface QuietLogger extends Logger {
  readonly lines: readonly { readonly level: string; readonly fields: LogFields; readonly message: string }[];
}

export function createQuietLogger(): QuietLogger {
  const lines: { level: string; fields: LogFields; message: string }[] = [];
  const keep = (level: string) => (fields: LogFields, message: string) => {
    lines.push({ level, fields, message });
  };
  const logger: QuietLogger = {
    lines,
    debug: keep('debug'),
    info: keep('info'),
    warn: keep('warn'),
    error: keep('error'),
    child: () => logger,
  };
  return logger;
}
