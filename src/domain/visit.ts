/** A visit: one GET of a live code answered with a redirect. What is not here does not survive the request. */

/** `prefetch` before `bot` before `human`: the first that applies. */
export type VisitClass = 'human' | 'bot' | 'prefetch';

export interface Visit {
  readonly code: string;
  /** When it was answered, ms since the epoch, UTC. */
  readonly at: number;
  /** Version of the link that was followed. */
  readonly linkVersion: number;
  readonly class: VisitClass;
  /** Version of the rules that gave class, browser, os, device and country. */
  readonly rules: string;
  /** Product names with major versions only, at most 160 characters, so that later rules can be applied to the past. */
  readonly agent: string;
  /** Empty string = unknown, for every name below. */
  readonly browser: string;
  readonly os: string;
  readonly device: string;
  /** Name of the crawler for bots. */
  readonly crawler: string;
  /** Primary language subtag, lower case. */
  readonly language: string;
  /** Host of the referring page, lower case; empty = direct. */
  readonly referrer: string;
  /** ISO 3166-1 alpha-2, upper case. */
  readonly country: string;
  /** 32-bit hash of address and agent under a salt that is destroyed when its UTC day ends. */
  readonly visitor: number;
  /** How the link was reached. */
  readonly source: VisitSource;
  /** `utm_source`, `utm_medium`, `utm_campaign`, each at most 60 characters; empty = none. */
  readonly utmSource: string;
  readonly utmMedium: string;
  readonly utmCampaign: string;
}

export type VisitSource = 'link' | 'qr';
