/** The running program and a fresh browser page for each test of a file. */
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { openBrowser } from './browser.ts';
import { type RunningProgram, startProgram } from './running-program.ts';

export interface Site {
  readonly program: RunningProgram;
  readonly baseUrl: string;
  readonly browser: Browser;
  /** New for each test; addresses of its pages are relative to the program. */
  readonly context: BrowserContext;
  readonly page: Page;
}

/** Call it in a `describe`. The members are there from its hooks on. */
export function useSite(): Site {
  const site: { -readonly [member in keyof Site]?: Site[member] | undefined } = {};
  beforeAll(async () => {
    [site.program, site.browser] = await Promise.all([startProgram(), openBrowser()]);
    site.baseUrl = site.program.baseUrl;
  });
  afterAll(async () => {
    await site.browser?.close();
    await site.program?.dispose();
  });
  beforeEach(async () => {
    site.context = await site.browser?.newContext({ baseURL: site.baseUrl ?? '', locale: 'en-US' });
    site.page = await site.context?.newPage();
  });
  afterEach(() => site.context?.close());
  return site as Site;
}
