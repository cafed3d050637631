/**
 * A process of the simulated world: its calls reach the world after a while, and it hears of their outcome after another, unless it was
 * killed meanwhile; a paused one (SIGSTOP, a long collection of garbage) hears of nothing until it wakes up.
 */
import type { Scheduler } from './scheduler.ts';

export class SimulatedProcess {
  readonly name: string;
  readonly scheduler: Scheduler;
  /** How far its wall clock is off. */
  readonly skewMs: number;
  isDead = false;
  private pausedUntilMs = 0;
  /** What arrived while it was paused. */
  private held: (() => void)[] = [];

  constructor(scheduler: Scheduler, name: string) {
    this.scheduler = scheduler;
    this.name = name;
    this.skewMs = scheduler.between(-30_000, 30_000);
  }

  kill(): void {
    this.isDead = true;
  }

  pause(durationMs: number): void {
    this.pausedUntilMs = this.scheduler.nowMs + durationMs;
    this.scheduler.after(durationMs, () => this.wakeUp());
  }

  /** Ends a pause: what arrived meanwhile is heard in the order in which it came. */
  wakeUp(): void {
    if (this.scheduler.nowMs < this.pausedUntilMs) return;
    const arrived = this.held;
    this.held = [];
    for (const arrive of arrived) arrive();
  }

  endPause(): void {
    this.pausedUntilMs = this.scheduler.nowMs;
    this.wakeUp();
  }

  /** `effect` takes place in the world within `latencyMs`; its outcome is heard later. A call of a killed process may still take place. */
  call<Outcome>(latencyMs: number, effect: () => Outcome): Promise<Outcome> {
    const { scheduler } = this;
    return new Promise<Outcome>((resolve, reject) => {
      if (this.isDead) return;
      scheduler.after(scheduler.random.next() * latencyMs, () => {
        if (this.isDead && scheduler.chance(0.5)) return;
        let deliver: () => void;
        try {
          const outcome = effect();
          deliver = () => resolve(outcome);
        } catch (error) {
          deliver = () => reject(error);
        }
        this.hear(scheduler.random.next() * latencyMs, deliver);
      });
    });
  }

  /** Runs `deliver` in the process, `delayMs` from now or when it is awake again. */
  hear(delayMs: number, deliver: () => void): () => void {
    let isCancelled = false;
    const arrive = (): void => {
      if (this.isDead || isCancelled) return;
      if (this.scheduler.nowMs < this.pausedUntilMs) {
        this.held.push(arrive);
        return;
      }
      this.scheduler.delivers();
      deliver();
    };
    const cancel = this.scheduler.after(delayMs, arrive);
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  readonly clock = {
    nowMs: () => this.scheduler.nowMs + this.skewMs,
    monotonicMs: () => this.scheduler.nowMs,
  };

  readonly timer = {
    after: (delayMs: number, callback: () => void) => this.hear(delayMs, callback),
  };
}
