/**
 * Names as small numbers: a fold compares and counts numbers instead of strings. Lives in memory only; rows on disk hold the
 * names themselves.
 */
export class NameTable {
  private readonly ids = new Map<string, number>();
  private readonly names: string[] = [];
  private readonly encoded: Buffer[] = [];

  get size(): number {
    return this.names.length;
  }

  idOf(name: string): number {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    const id = this.names.length;
    this.ids.set(name, id);
    this.names.push(name);
    this.encoded.push(Buffer.from(name, 'utf8'));
    return id;
  }

  nameOf(id: number): string {
    return this.names[id] as string;
  }

  /** The name in UTF-8, as rows hold it. */
  bytesOf(id: number): Buffer {
    return this.encoded[id] as Buffer;
  }
}
