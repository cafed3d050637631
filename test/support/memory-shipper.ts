/**
 * A shared log in memory, as the forwarder sees it: it can be away, lose answers, take a part of a batch, and hold a batch back
 * to bring it once more later. It fails the test when its port's bounds are not kept.
 */
import { LogUnavailable } from '../../src/ports/event-log.ts';
import type { JournaledVisit, VisitShipper } from '../../src/ports/visit-shipper.ts';
import type { SeededRandom } from './seeded-random.ts';

export type ShipFault = 'none' | 'refused' | 'answer-lost' | 'part-taken' | 'taken-twice' | 'comes-again-later';

export interface ArrivedVisit {
  readonly key: string;
  readonly value: string;
  readonly producerId: string;
  readonly sequence: number;
}

export class MemoryShipper implements VisitShipper {
  /** By partition, as they came. */
  readonly arrived: ArrivedVisit[][] = [];
  /** What was asked too much of it. */
  readonly complaints: string[] = [];
  readonly batchSizes: number[] = [];
  isAway = false;
  isClosed = false;
  attempts = 0;
  private readonly nextFault: () => ShipFault;
  private readonly underWay = new Set<number>();
  private late: { readonly partition: number; readonly visits: readonly ArrivedVisit[] }[] = [];
  private held: (() => void)[] | null = null;

  constructor(nextFault: () => ShipFault = () => 'none') {
    this.nextFault = nextFault;
  }

  async ship(partition: number, visits: readonly JournaledVisit[]): Promise<void> {
    this.attempts += 1;
    const bytes = visits.reduce((sum, { value }) => sum + value.length, 0);
    if (this.underWay.has(partition)) this.complaints.push(`partition ${partition} has two batches under way`);
    if (visits.length > 2_000 || bytes > 700_000 || visits.length === 0) {
      this.complaints.push(`a batch has ${visits.length} visits of ${bytes} bytes`);
    }
    this.underWay.add(partition);
    try {
      await new Promise((resolve) => setImmediate(resolve));
      if (this.held !== null) await new Promise<void>((resolve) => this.held?.push(resolve));
      this.take(partition, visits);
    } finally {
      this.underWay.delete(partition);
    }
  }

  async close(): Promise<void> {
    this.isClosed = true;
  }

  /** Batches wait from now on until they are let go. */
  hold(): void {
    this.held = [];
  }

  letGo(): void {
    const held = this.held ?? [];
    this.held = null;
    for (const go of held) go();
  }

  count(): number {
    return this.arrived.reduce((sum, visits) => sum + visits.length, 0);
  }

  private take(partition: number, visits: readonly JournaledVisit[]): void {
    if (this.isAway) throw new LogUnavailable('the log is away');
    const fault = this.nextFault();
    if (fault === 'refused') throw new LogUnavailable('the log takes nothing now');
    const kept = visits.map(({ key, value, producerId, sequence }) => ({
      key,
      value: value.toString(),
      producerId,
      sequence,
    }));
    const part = fault === 'part-taken' ? kept.slice(0, Math.ceil(kept.length / 2)) : kept;
    this.append(partition, part);
    if (fault === 'taken-twice') this.append(partition, part);
    for (const { partition: of, visits: again } of this.late.splice(0)) this.append(of, again);
    if (fault === 'comes-again-later') this.late.push({ partition, visits: kept });
    this.batchSizes.push(visits.length);
    if (fault === 'answer-lost' || fault === 'part-taken') throw new LogUnavailable('the answer was lost');
  }

  private append(partition: number, visits: readonly ArrivedVisit[]): void {
    this.arrived[partition] ??= [];
    this.arrived[partition].push(...visits);
  }
}

/** Every fault now and then, and none in half of the batches. */
export function randomFaults(random: SeededRandom): () => ShipFault {
  const faults: readonly ShipFault[] = [
    'refused',
    'answer-lost',
    'part-taken',
    'taken-twice',
    'comes-again-later',
    ...Array.from({ length: 5 }, () => 'none' as const),
  ];
  return () => random.pick(faults);
}
