/** What answers the requests of one process, whatever its mode: opened, and ready to be put behind the server. */
import type { RequestListener } from 'node:http';
import type { Config } from '../config.ts';
import type { Door } from '../http/app-options.ts';
import type { LogFields, Logger } from '../ports/logger.ts';

export interface Role {
  /** Asked first. */
  readonly door: Door;
  readonly app: RequestListener;
  /** Ends answers that would go on for ever. */
  endStreams(): void;
  /** Loads what the first requests need. Call it once the server listens. Returns what to log of it. */
  load(): Promise<LogFields>;
  /** Commits what is under way and closes everything. Call it when the server has closed. */
  close(): Promise<void>;
}

/** @param isDraining true from the moment a stop was asked for */
export type OpenRole = (config: Config, logger: Logger, isDraining: () => boolean) => Promise<Role>;
