/** A logger for a thread that has none of its own: sends each line to the thread that writes. */
import type { LogFields, Logger } from '../ports/logger.ts';

type SendLine = (level: 'debug' | 'info' | 'warn' | 'error', fields: LogFields, message: string) => void;

export function createSendingLogger(send: SendLine, bound: LogFields = {}): Logger {
  const at =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (fields: LogFields, message: string): void =>
      send(level, cloneable({ ...bound, ...fields }), message);
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => createSendingLogger(send, { ...bound, ...fields }),
  };
}

/** An error may hold what cannot be sent to another thread. */
function cloneable(fields: LogFields): LogFields {
  if (!(fields['err'] instanceof Error)) return fields;
  const { name, message, stack } = fields['err'];
  return { ...fields, err: { name, message, stack } };
}

/** On the other side: an error lost its class on the way between threads; without a prototype the logger tells its name instead. */
export function receivedFields(fields: LogFields): LogFields {
  return fields['err'] === undefined ? fields : { ...fields, err: Object.assign(Object.create(null), fields['err']) };
}
