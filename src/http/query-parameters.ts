/** Reads a query string strictly: a parameter that is unknown or repeated is refused by name, never guessed about. */
import type { FieldError } from '../domain/refusal.ts';
import { invalidInput, ProblemError } from './problem.ts';

/**
 * The query's parameters by name. Throws a 422 problem that names each unknown and each repeated one, a 400 problem
 * when the percent-encoding is wrong.
 * @param target the request target: path, and query behind a question mark
 */
export function queryParameters<Name extends string>(
  target: string,
  allowed: readonly Name[],
): Readonly<Partial<Record<Name, string>>> {
  const start = target.indexOf('?');
  const query = start === -1 ? '' : target.slice(start + 1);
  assertDecodable(query);
  const found = new Map<string, string>();
  const errors: FieldError[] = [];
  for (const [name, value] of new URLSearchParams(query)) {
    const known = (allowed as readonly string[]).includes(name);
    if (!known) errors.push({ field: name, code: 'unknown-member', detail: unknownDetail(allowed) });
    else if (found.has(name)) errors.push({ field: name, code: 'repeated', detail: 'Give this parameter once.' });
    found.set(name, value);
  }
  if (errors.length > 0) throw invalidInput(errors.slice(0, 20));
  return Object.fromEntries(found) as Partial<Record<Name, string>>;
}

/** A whole number between two bounds, or `absent` when the parameter is not there. */
export function wholeNumberParameter(
  name: string,
  text: string | undefined,
  range: { readonly min: number; readonly max: number; readonly absent: number },
): number {
  if (text === undefined) return range.absent;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= range.min && number <= range.max) return number;
  const detail = `Must be a whole number from ${range.min} to ${range.max}.`;
  throw invalidInput([{ field: name, code: 'out-of-range', detail }]);
}

/** One of the values, or `absent` when the parameter is not there. */
export function choiceParameter<Value extends string, Absent>(
  name: string,
  text: string | undefined,
  values: readonly Value[],
  absent: Absent,
): Value | Absent {
  if (text === undefined) return absent;
  const value = values.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw invalidInput([{ field: name, code: 'not-allowed-value', detail: `Must be one of ${values.join(', ')}.` }]);
}

function assertDecodable(query: string): void {
  try {
    decodeURIComponent(query);
  } catch {
    throw new ProblemError('malformed-request', 'The query is wrongly percent-encoded or not UTF-8.');
  }
}

function unknownDetail(allowed: readonly string[]): string {
  return allowed.length === 0 ? 'No parameter is known here.' : `Known here: ${allowed.join(', ')}.`;
}
