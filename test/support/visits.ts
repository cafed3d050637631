/** Builders of visits for tests. */

import type { Visit } from '../../src/domain/visit.ts';
import { encodeVisit } from '../../src/serde/visit.ts';

/** 2026-10-01T00:00:00Z. */
export const octoberFirstMs = Date.UTC(2026, 9, 1);

/** The text that a visit's record holds. */
export function visitText(visit: Visit): string {
  return Buffer.from(encodeVisit(visit)).toString();
}

export function aVisit(changes: Partial<Visit> = {}): Visit {
  return {
    code: 'abc1234',
    at: octoberFirstMs,
    linkVersion: 1,
    class: 'human',
    rules: 'test',
    agent: 'Firefox/140 Linux',
    browser: 'Firefox',
    os: 'Linux',
    device: 'desktop',
    crawler: '',
    language: 'en',
    referrer: 'news.example',
    country: 'DE',
    visitor: 1,
    source: 'link',
    utmSource: '',
    utmMedium: '',
    utmCampaign: '',
    ...changes,
  };
}
