import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createContext, Script } from 'node:vm';
import { parseSync } from '@swc/core';
import { createAgentProfiles } from '../../src/http/agent-profile.ts';

const source = fileURLToPath(new URL('../../src/', import.meta.url));

interface Expression {
  readonly file: string;
  readonly pattern: string;
  readonly flags: string;
}

/** Every regular expression that is written as a literal in the sources. */
function expressions(): readonly Expression[] {
  const found: Expression[] = [];
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  for (const file of files.sort()) {
    const visit = (node: unknown): void => {
      if (typeof node !== 'object' || node === null) return;
      if (Array.isArray(node)) {
        for (const child of node) visit(child);
        return;
      }
      const { type, pattern, flags } = node as { type?: string; pattern?: unknown; flags?: unknown };
      if (type === 'RegExpLiteral' && typeof pattern === 'string')
        found.push({ file, pattern, flags: String(flags ?? '') });
      for (const child of Object.values(node)) visit(child);
    };
    visit(parseSync(readFileSync(join(source, file), 'utf8'), { syntax: 'typescript', target: 'es2023' }));
  }
  return found;
}

const lengthMax = 100_000;

/** Texts that make an expression try much: its own letters and classes over and over, with an end that fits nowhere. */
function adversaries(pattern: string, length: number): readonly string[] {
  const own = pattern.replace(/\\[a-zA-Z]|[\\^$()[\]{}?*+|]/g, '').slice(0, 20);
  const units = [
    'a',
    '0',
    ' ',
    '.',
    '-',
    '_',
    '/',
    ':',
    '@',
    ',',
    ';',
    '\t',
    '\n',
    'a.',
    'a-',
    'a ',
    '0.',
    '1:',
    'aA',
    '"a"',
    "'",
    'q=',
    '&a=',
    '%61',
    '\\',
    '[',
    '(',
    '<',
    'ü',
    '\u{1f600}',
    '\ud800',
    own || 'x',
  ];
  const starts = ['', 'https://', 'http://a', '"', '[', 'W/"', 'prefetch'];
  const ends = ['', '\u0000', '!', '#x'];
  return units.flatMap((unit, index) => {
    const body = unit.repeat(Math.ceil(length / unit.length)).slice(0, length - 10);
    const start = starts[index % starts.length] ?? '';
    const end = ends[index % ends.length] ?? '';
    return [body, body + end, `${start}${body}\u0000`];
  });
}

/**
 * Expressions whose time grows with the square of the text in the worst case, with the longest text that they are ever
 * given. A new one belongs either into a simpler form or here, with its bound kept at the place of use.
 */
const bounded: Readonly<Record<string, number>> = {
  // The host of a referring page (visit-description.ts).
  '\\.+$': 1_000,
};

describe('regular expressions and long texts', () => {
  // A pattern that never ends must not hold up the tests: it runs where it can be stopped.
  const context = createContext({});
  const script = new Script(
    'for (const text of texts) { expression.lastIndex = 0; text.search(expression); if (expression.global) text.replace(expression, ""); }',
  );
  const hangMs = 500;

  it('S38 all of the sources stay fast on 100,000 characters, or on all they are ever given', () => {
    const slow: string[] = [];
    const all = expressions();
    expect(all.length).toBeGreaterThan(50);
    for (const { file, pattern, flags } of all) {
      const expression = new RegExp(pattern, flags);
      for (const text of adversaries(pattern, bounded[pattern] ?? lengthMax)) {
        context['texts'] = [text];
        context['expression'] = expression;
        try {
          script.runInContext(context, { timeout: hangMs });
        } catch {
          slow.push(`${file}: /${pattern}/ on ${JSON.stringify(text.slice(0, 12))}…`);
          break;
        }
      }
    }
    expect(slow).toEqual([]);
  });

  it('S38 name thousands of agents and hostile headers within milliseconds each', () => {
    const products = [
      'Mozilla/5.0',
      'AppleWebKit/537.36',
      'Chrome/130.0.0.0',
      'Safari/537.36',
      'Firefox/131.0',
      'Edg/130.0',
      'OPR/114.0',
      'Googlebot/2.1',
      'curl/8.5.0',
      'python-requests/2.32',
      'Version/17.1',
      'Mobile/15E148',
      'SamsungBrowser/23.0',
      'bingbot/2.0',
      'GPTBot/1.0',
      'HeadlessChrome/130.0',
    ];
    const systems = [
      'Windows NT 10.0; Win64; x64',
      'Macintosh; Intel Mac OS X 10_15_7',
      'X11; Linux x86_64',
      'iPhone; CPU iPhone OS 17_1 like Mac OS X',
      'Linux; Android 14; Pixel 8',
      'compatible; +http://www.google.com/bot.html',
      'SMART-TV; Tizen 6.0',
      'PlayStation 5',
      '',
      ')(',
    ];
    const agents = systems.flatMap((system) =>
      products.flatMap((first) => products.map((second) => `${first} (${system}) ${second}`)),
    );
    const hostile = [
      'a',
      ' ',
      '/',
      '(',
      ')',
      ';',
      '.',
      '1.',
      'Mozilla/',
      'bot ',
      'Chrome/1 ',
      'Version/',
      `${'x'.repeat(23)}/`,
      `${'A'.repeat(24)}-`,
      'Windows NT ',
      'Android ',
      'CPU OS 1_',
      'http://',
      '+',
      '@',
      'é',
    ].flatMap((unit) => [
      unit.repeat(Math.ceil(16_000 / unit.length)),
      `Mozilla/5.0 (${unit.repeat(500)}`,
      `${unit.repeat(500)}!`,
    ]);
    /** A busy machine takes time for itself: the shortest of three fresh readings is the expression's own. */
    const readingMs = (agent: string): number => {
      let shortestMs = Number.POSITIVE_INFINITY;
      for (let times = 0; times < 3 && shortestMs > 5; times++) {
        const profileOf = createAgentProfiles();
        const startedAt = performance.now();
        const profile = profileOf(agent);
        shortestMs = Math.min(shortestMs, performance.now() - startedAt);
        expect(profile.agent.length).toBeLessThanOrEqual(160);
      }
      return shortestMs;
    };
    readingMs('warm up');
    const slow = [...agents, ...hostile].filter((agent) => readingMs(agent) > 25);
    expect(slow).toEqual([]);
    expect(agents.length).toBeGreaterThan(2_000);
  });
});
