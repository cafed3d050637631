/**
 * Names of dimensions as small numbers: a fold compares and counts numbers instead of strings. Lives in memory only; rows on
 * disk hold the names themselves.
 */
import { dimensions } from '../domain/statistics.ts';

/** An id's lowest bits say which dimension it belongs to. */
const dimensionBits = 4;
const dimensionMask = (1 << dimensionBits) - 1;

export class NameTable {
  private readonly ids = dimensions.map(() => new Map<string, number>());
  private readonly names: string[] = [];
  private readonly encoded: Buffer[] = [];
  /** The name asked for last in each dimension: some have few, and it is often the same again. */
  private readonly lastNames: (string | undefined)[] = dimensions.map(() => undefined);
  private readonly lastIds: number[] = dimensions.map(() => 0);

  get size(): number {
    return this.names.length;
  }

  /** The id of a name in the dimension at `position`. The name is kept: it must not be a part of a longer text. */
  idOf(position: number, name: string): number {
    if (name === this.lastNames[position]) return this.lastIds[position] as number;
    const id = (this.ids[position] as Map<string, number>).get(name) ?? this.newId(position, name);
    this.lastNames[position] = this.names[id >> dimensionBits];
    this.lastIds[position] = id;
    return id;
  }

  private newId(position: number, name: string): number {
    const id = (this.names.length << dimensionBits) | position;
    (this.ids[position] as Map<string, number>).set(name, id);
    this.names.push(name);
    this.encoded.push(Buffer.from(name, 'utf8'));
    return id;
  }

  nameOf(id: number): string {
    return this.names[id >> dimensionBits] as string;
  }

  /** The name in UTF-8, as rows hold it. */
  bytesOf(id: number): Buffer {
    return this.encoded[id >> dimensionBits] as Buffer;
  }
}

/** Position of the dimension that an id belongs to. */
export function dimensionOf(id: number): number {
  return id & dimensionMask;
}
