/**
 * The bounds of a visit's members. The redirect door cuts to them, the decoder refuses what lies beyond them, and so
 * a row of statistics has a largest size whatever a stranger sends. Lengths in UTF-16 units unless the name says otherwise.
 */
export const visitBounds = {
  /** The last instant of an ECMAScript `Date`. */
  atMax: 8.64e15,
  rulesLengthMax: 80,
  agentLengthMax: 160,
  /** Browser, operating system, device, crawler. */
  nameLengthMax: 40,
  referrerLengthMax: 100,
  visitorMax: 0xffff_ffff,
  utmCodePointsMax: 60,
} as const;

/** What a code looks like wherever it is a path segment or the key of a record. */
export const codePattern = /^[A-Za-z0-9_-]{1,64}$/;

/** Controls (C0, DEL, C1) and halves of surrogate pairs: no member of a visit holds them. */
export const charactersNeverInVisit = /[\p{Cc}\p{Surrogate}]/u;
