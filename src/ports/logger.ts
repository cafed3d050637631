/** Structured logging: one JSON object a line. Callers never pass personal data (no address, no full user agent). */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds `fields` to each line. */
  child(fields: LogFields): Logger;
}

/** Fields of a line. An error goes under `err`. */
export type LogFields = Readonly<Record<string, unknown>>;
