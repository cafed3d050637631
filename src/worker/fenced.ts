/** Another owner has taken the partition over: this one is stale, stops, and touches nothing more. Its process lives on. */
export class Fenced extends Error {
  override readonly name = 'Fenced';
}
