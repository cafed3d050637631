import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../src/config.ts';
import { countryDataAttribution } from '../src/http/visit-description.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const decisions = readdirSync(join(root, 'docs', 'decisions')).sort();
const pages = ['README.md', 'ARCHITECTURE.md', ...decisions.map((name) => `docs/decisions/${name}`)];

/** Made by the build, so not there in a fresh clone. */
const made = new Set(['public/assets']);

/** Paths in code quotes that begin with a folder of the project, and targets of links. */
function pathsIn(page: string): string[] {
  const text = read(page).replaceAll(/```[\s\S]*?```/g, '');
  const quoted = [...text.matchAll(/`((?:src|test|docs|bench|model|scripts|public)\/[^`\s<>*]*)`/g)].map(
    (match) => match[1] ?? '',
  );
  const linked = [...text.matchAll(/\]\((?!https?:|#)([^)\s]+)\)/g)].map((match) => match[1] ?? '');
  return [...quoted, ...linked];
}

/** Top-level folders and files of src; of adapters, each technology. */
function rooms(): string[] {
  return readdirSync(join(root, 'src'), { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [`src/${entry.name}`];
    if (entry.name !== 'adapters') return [`src/${entry.name}/`];
    return readdirSync(join(root, 'src', 'adapters')).map((name) => `src/adapters/${name}/`);
  });
}

/** The text between a heading and the next one of its level. */
function section(page: string, heading: string): string {
  const text = read(page);
  const start = text.indexOf(`\n${heading}\n`);
  expect(start).toBeGreaterThan(0);
  const end = text.indexOf('\n## ', start + heading.length);
  return text.slice(start, end < 0 ? undefined : end);
}

describe('the documentation', () => {
  it.each(pages)('%s names only files that exist', (page) => {
    const missing = pathsIn(page).filter((path) => !made.has(path) && !existsSync(join(root, path)));
    expect(missing).toEqual([]);
  });

  it('names files in the flow table, so that this test has something to hold', () => {
    expect(pathsIn('ARCHITECTURE.md').length).toBeGreaterThan(50);
  });

  it('has each room of the sources in the code map', () => {
    const map = section('ARCHITECTURE.md', '## Code map');
    expect(rooms().filter((room) => !map.includes(`**\`${room}\`**`))).toEqual([]);
  });

  it('has each setting in the table of the README, and no other', () => {
    const asked = new Set<string>();
    const environment = new Proxy<Record<string, string>>(
      {},
      {
        get(_target, name) {
          asked.add(String(name));
          return undefined;
        },
      },
    );
    parseConfig(environment);
    const told = [...section('README.md', '## Settings').matchAll(/^\| `([A-Z_]+)` \|/gm)].map((match) => match[1]);
    expect(told.sort()).toEqual([...asked].sort());
  });

  it('tells the defaults that the program has', () => {
    const table = section('README.md', '## Settings');
    const told = (name: string) => new RegExp(`^\\| \`${name}\` \\| ([^|]*) \\|`, 'm').exec(table)?.[1];
    const config = parseConfig({});
    expect(told('PORT')).toBe(`\`${config.port}\``);
    expect(told('HOST')).toBe(`\`${config.host}\``);
    expect(told('DATA_DIR')).toBe(`\`${config.dataDir}\``);
    expect(told('PARTITIONS')).toBe(`\`${config.partitions}\``);
    expect(told('VISIT_FSYNC')).toBe(`\`${config.visitFsync}\``);
    expect(told('RATE_LIMIT')).toBe(`\`${config.rateLimit}\``);
    expect(told('MISS_LIMIT')).toBe(`\`${config.missLimit}\``);
    expect(told('DRAIN_MS')).toBe(`\`${config.drainMs}\``);
    expect(told('SHUTDOWN_TIMEOUT_MS')).toBe(`\`${config.shutdownTimeoutMs}\``);
    expect(told('LOG_LEVEL')).toBe(`\`${config.logLevel}\``);
    expect(config).toMatchObject({ visitRetentionDays: null, allowPrivateTargets: false, trustedProxies: { hops: 0 } });
  });

  it('links each decision, whose number is its own, under a page long', () => {
    const architecture = read('ARCHITECTURE.md');
    expect(decisions.filter((name) => !architecture.includes(`(docs/decisions/${name})`))).toEqual([]);
    expect(new Set(decisions.map((name) => name.slice(0, 4))).size).toBe(decisions.length);
    for (const name of decisions) {
      const text = read(`docs/decisions/${name}`);
      expect(text.startsWith(`# ${name.slice(0, 4)}: `)).toBe(true);
      for (const part of ['Status: ', '## Context', '## Options', '## Outcome', '## Trade-offs'])
        expect(text).toContain(part);
      expect(text.split(/\s+/).length).toBeLessThan(450);
    }
  });

  it('has the decisions that the sources speak of', () => {
    const numbers = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .flatMap((path) => [...read(join('src', path)).matchAll(/docs\/decisions\/(\d{4})/g)].map((match) => match[1]));
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers.filter((number) => !decisions.some((name) => name.startsWith(`${number}-`)))).toEqual([]);
  });

  it('gives both commands on the first screen, and the sentence that the country data asks for', () => {
    const readme = read('README.md');
    const firstScreen = readme.split('\n').slice(0, 15).join('\n');
    expect(firstScreen).toContain('npm start');
    expect(firstScreen).toContain('npm test');
    expect(readme).toContain(countryDataAttribution);
  });

  it('quotes messages of damage as the program says them', () => {
    const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.ts'))
      .map((path) => read(join('src', path)))
      .join('\n');
    const rows = section('README.md', '## Operation').match(/(?<=^\| )`[^|]+(?= \|)/gm) ?? [];
    const messages = rows.flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ''));
    const parts = messages
      .filter((message) => !message.startsWith('tallyhop_'))
      .flatMap((message) => message.split(/<\w+>|…/).map((part) => part.trim()))
      .filter((part) => part.length > 3);
    expect(parts.length).toBeGreaterThan(15);
    expect(parts.filter((part) => !sources.includes(part))).toEqual([]);
  });

  it('names only metrics that the program has, and each of them', async () => {
    const { createMetrics } = await import('../src/http/metrics.ts');
    const metrics = createMetrics({
      visitsEndOffsets: () => [],
      progress: () => ({ partitions: [], lagMs: 0, rebuild: null, halted: null }),
      journalDepth: () => ({ visits: 0, bytes: 0 }),
      links: () => 0,
      streams: () => 0,
      foldCounts: () => ({ folded: 0, duplicates: 0, gaps: 0, deadLetters: 0 }),
      journalFigures: () => ({ writeErrors: 0, lastSyncMs: 0 }),
      journalBacklog: () => ({ visits: 0, bytes: 0, oldestAgeMs: 0, resent: 0, setAside: 0 }),
    });
    const rendered = [...(await metrics.render()).matchAll(/^# TYPE (tallyhop_\w+)/gm)].map((match) => match[1] ?? '');
    const told = [...section('README.md', '## Operation').matchAll(/`(tallyhop_\w+)/g)].map((match) => match[1] ?? '');
    expect([...new Set(told)].sort()).toEqual([...new Set(rendered)].sort());
  });
});
