/**
 * Syncs the files of one partition to the disk without blocking the event loop: one sync at a time, and the next covers
 * all that was written meanwhile. It owns the open files once they are given to it, and closes them.
 */
import { close, closeSync } from 'node:fs';
import type { Clock } from '../../ports/clock.ts';
import type { JournalCallback } from '../../ports/visit-journal.ts';
import type { SegmentFileCalls } from './segment-files.ts';

/** The callbacks of one written frame, each with the place of its first record in the frame. */
export interface WrittenFrame {
  readonly dones: readonly JournalCallback[];
  readonly firsts: readonly number[];
  readonly baseSequence: number;
  readonly bytes: number;
}

export interface GroupSyncOptions {
  readonly folder: string;
  readonly calls: SegmentFileCalls;
  readonly clock: Clock;
  readonly intervalMs: number;
  /** Told once of a failed sync; gives the error for all that it should have covered. */
  readonly onFailure: (error: Error) => Error;
}

export class GroupSync {
  readonly #options: GroupSyncOptions;
  #activeFd: number;
  /** Left for a new one, but neither synced nor closed. */
  #sealedFds: number[] = [];
  #folderChanged = true;
  #written = false;
  #frames: WrittenFrame[] = [];
  #running = false;
  #timer: NodeJS.Timeout | undefined;
  #failure: Error | null = null;
  #closed: Promise<void> | undefined;
  /** Bytes of the frames whose callbacks wait for a sync. */
  waitingBytes = 0;
  syncs = 0;
  syncErrors = 0;
  /** How long the last sync took; 0 before the first. */
  lastSyncMs = 0;

  constructor(options: GroupSyncOptions, activeFd: number) {
    this.#options = options;
    this.#activeFd = activeFd;
  }

  /** Something was written: the next sync is due within the interval. */
  dueSoon(): void {
    this.#written = true;
    if (this.#timer !== undefined || this.#running) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (this.#written) this.#run();
    }, this.#options.intervalMs);
    this.#timer.unref();
  }

  /** A frame was written whose callbacks are to be called when it is synced. */
  answerWhenSynced(frame: WrittenFrame): void {
    this.#frames.push(frame);
    this.waitingBytes += frame.bytes;
    this.#run();
  }

  /**
   * The file that is written to from now on. The one before is synced soon in every mode: a gap in front of a synced
   * successor would be damage.
   */
  moveTo(activeFd: number): void {
    this.#sealedFds.push(this.#activeFd);
    this.#activeFd = activeFd;
    this.#folderChanged = true;
    this.#run();
  }

  /** Resolves when a sync that covers all that is written by now has ended, well or not. */
  ended(): Promise<void> {
    return new Promise((resolve) => {
      this.answerWhenSynced({ dones: [() => resolve()], firsts: [0], baseSequence: 0, bytes: 0 });
    });
  }

  /** Syncs what is written and closes the files. Nothing may be written afterwards. */
  close(): Promise<void> {
    this.#closed ??= this.ended().then(() => {
      clearTimeout(this.#timer);
      closeSync(this.#activeFd);
    });
    return this.#closed;
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    this.#written = false;
    const frames = this.#frames;
    this.#frames = [];
    const sealed = this.#sealedFds;
    this.#sealedFds = [];
    const startedMs = this.#options.clock.monotonicMs();
    this.#syncFiles([...sealed, this.#activeFd], (error) => {
      for (const fd of sealed) close(fd);
      this.#running = false;
      this.syncs += 1;
      this.lastSyncMs = this.#options.clock.monotonicMs() - startedMs;
      if (error !== null) {
        this.syncErrors += 1;
        // The kernel may have dropped the pages, and a later sync then succeeds without them: from now on nothing that
        // was written can be vouched for.
        this.#failure ??= this.#options.onFailure(error);
      }
      this.#answer(frames);
      if (this.#frames.length > 0 || this.#sealedFds.length > 0) this.#run();
      else if (this.#written) this.dueSoon();
    });
  }

  #answer(frames: readonly WrittenFrame[]): void {
    const failure = this.#failure;
    for (const { dones, firsts, baseSequence, bytes } of frames) {
      this.waitingBytes -= bytes;
      for (let i = 0; i < dones.length; i++) {
        dones[i]?.(failure, failure === null ? baseSequence + (firsts[i] ?? 0) : -1);
      }
    }
  }

  #syncFiles(fds: readonly number[], done: (error: Error | null) => void): void {
    const [fd, ...others] = fds;
    if (fd !== undefined) {
      this.#options.calls.sync(fd, (error) => (error ? done(error) : this.#syncFiles(others, done)));
    } else if (this.#folderChanged) {
      this.#folderChanged = false;
      this.#options.calls.syncFolder(this.#options.folder, done);
    } else {
      done(null);
    }
  }
}
