/**
 * Bytes of the `visits` topic ↔ visits. The value is a JSON array of members by position with the format's version
 * first; the code is the record's key and not repeated. Used by the redirect door to write and by the worker to read.
 * Nothing is repaired here: a record is a whole visit within its bounds, or it is refused by name.
 */
import type { Visit, VisitClass, VisitSource } from '../domain/visit.ts';
import { charactersNeverInVisit, codePattern, visitBounds } from '../domain/visit-bounds.ts';
import { writeVisit } from './visit-bytes.ts';
import { cutVisit } from './visit-text.ts';

/** The version that {@link encodeVisit} writes. Raise it when a position changes its meaning, and add an upcaster. */
export const visitVersion = 1;

const memberCount = 18;

/** The bytes of a record are not a visit. The reaction is a dead letter: reading them again gives the same. */
export class MalformedVisit extends Error {
  override readonly name = 'MalformedVisit';
  constructor(what: string) {
    super(`not a visit: ${what}`);
  }
}

/** A record was written by a newer release. The reaction is a dead letter, to be replayed after the upgrade. */
export class UnknownVisitVersion extends Error {
  override readonly name = 'UnknownVisitVersion';
  readonly version: number;
  constructor(version: number) {
    super(`visits of version ${version} are not known here, the newest known is ${visitVersion}`);
    this.version = version;
  }
}

/** Rewrites the members of one version into those of the next, the version member included. */
type Upcaster = (members: readonly unknown[]) => readonly unknown[];

/** By the version they start from: `upcasters.get(n)` makes version n + 1. Empty while there has been one version only. */
const upcasters: ReadonlyMap<number, Upcaster> = new Map();

/** One record's value, valid until the next call. */
export function encodeVisit(visit: Visit): Uint8Array {
  return writeVisit(visit, visitVersion) ?? Buffer.from(JSON.stringify(membersOf(visit)));
}

function membersOf(visit: Visit): readonly unknown[] {
  return [
    visitVersion,
    visit.at,
    visit.linkVersion,
    visit.class,
    visit.rules,
    visit.agent,
    visit.browser,
    visit.os,
    visit.device,
    visit.crawler,
    visit.language,
    visit.referrer,
    visit.country,
    visit.visitor,
    visit.source,
    visit.utmSource,
    visit.utmMedium,
    visit.utmCampaign,
  ];
}

/**
 * Narrows a record of the `visits` topic. Throws {@link MalformedVisit} or {@link UnknownVisitVersion}, nothing else.
 * A usual record is cut apart where its quotes stand; any other, and any that is out of bounds, goes through JSON.
 */
export function decodeVisit(code: string, value: Buffer): Visit {
  if (!codePattern.test(code)) throw new MalformedVisit('the key is not a code');
  return cutVisit(code, value, visitVersion) ?? decodeMembers(code, value);
}

function decodeMembers(code: string, value: Buffer): Visit {
  let members = parseMembers(value.toString('utf8'));
  if (members[0] !== visitVersion) members = upcast(members);
  if (members.length !== memberCount) throw new MalformedVisit(`${members.length} members instead of ${memberCount}`);
  return {
    code,
    at: integer(members, 1, 0, visitBounds.atMax),
    linkVersion: integer(members, 2, 1, Number.MAX_SAFE_INTEGER),
    class: visitClass(members[3]),
    rules: text(members, 4, visitBounds.rulesLengthMax),
    agent: text(members, 5, visitBounds.agentLengthMax),
    browser: text(members, 6, visitBounds.nameLengthMax),
    os: text(members, 7, visitBounds.nameLengthMax),
    device: text(members, 8, visitBounds.nameLengthMax),
    crawler: text(members, 9, visitBounds.nameLengthMax),
    language: matching(members, 10, languagePattern),
    referrer: text(members, 11, visitBounds.referrerLengthMax),
    country: matching(members, 12, countryPattern),
    visitor: integer(members, 13, 0, visitBounds.visitorMax),
    source: visitSource(members[14]),
    utmSource: utm(members, 15),
    utmMedium: utm(members, 16),
    utmCampaign: utm(members, 17),
  };
}

function parseMembers(json: string): readonly unknown[] {
  let members: unknown;
  try {
    members = JSON.parse(json);
  } catch {
    throw new MalformedVisit('the value is not JSON');
  }
  if (!Array.isArray(members)) throw new MalformedVisit('the value is not an array');
  return members;
}

function upcast(members: readonly unknown[]): readonly unknown[] {
  let newer = members;
  while (newer[0] !== visitVersion) {
    const version = newer[0];
    if (typeof version !== 'number' || !Number.isSafeInteger(version) || version < 1) {
      throw new MalformedVisit('the first member is not a version');
    }
    const upcaster = upcasters.get(version);
    if (upcaster === undefined) throw new UnknownVisitVersion(version);
    newer = upcaster(newer);
  }
  return newer;
}

function integer(members: readonly unknown[], position: number, min: number, max: number): number {
  const value = members[position];
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < min || value > max) {
    throw new MalformedVisit(`member ${position} is not an integer from ${min} to ${max}`);
  }
  // JSON has a negative zero, and as a key or in a comparison it would be another value than zero.
  return value === 0 ? 0 : value;
}

function text(members: readonly unknown[], position: number, lengthMax: number): string {
  const value = members[position];
  if (typeof value !== 'string' || value.length > lengthMax || charactersNeverInVisit.test(value)) {
    throw new MalformedVisit(`member ${position} is not a string of at most ${lengthMax} characters without controls`);
  }
  return value;
}

function utm(members: readonly unknown[], position: number): string {
  const max = visitBounds.utmCodePointsMax;
  const value = text(members, position, 2 * max);
  if (value.length > max && [...value].length > max) {
    throw new MalformedVisit(`member ${position} has more than ${max} characters`);
  }
  return value;
}

const languagePattern = /^(?:[a-z]{2,3})?$/;
const countryPattern = /^(?:[A-Z]{2})?$/;

function matching(members: readonly unknown[], position: number, pattern: RegExp): string {
  const value = members[position];
  if (typeof value !== 'string' || !pattern.test(value)) {
    throw new MalformedVisit(`member ${position} does not match ${pattern.source}`);
  }
  return value;
}

function visitClass(value: unknown): VisitClass {
  if (value === 'human' || value === 'bot' || value === 'prefetch') return value;
  throw new MalformedVisit('member 3 is not a class');
}

function visitSource(value: unknown): VisitSource {
  if (value === 'link' || value === 'qr') return value;
  throw new MalformedVisit('member 14 is not a source');
}
