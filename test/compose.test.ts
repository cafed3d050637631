import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseConfig } from '../src/config.ts';

const root = fileURLToPath(new URL('../', import.meta.url));
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');

type Command = readonly [name: string, ...leading: string[]];
const candidates: readonly Command[] = [['docker-compose'], ['docker', 'compose']];

/** Compose only reads its file here: neither an engine nor a network is needed. */
function findCompose(): Command {
  const find = () => candidates.find(([name, ...leading]) => spawnSync(name, [...leading, 'version']).status === 0);
  const found = find() ?? (installCompose() ? find() : undefined);
  if (found !== undefined) return found;
  throw new Error('This test needs docker-compose or `docker compose` (Debian: apt-get install docker-compose).');
}

/** Only as root on Debian, which is a machine made for the tests. */
function installCompose(): boolean {
  if (process.getuid?.() !== 0 || !existsSync('/etc/debian_version')) return false;
  const install = () => spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'docker-compose']);
  if (install().status === 0) return true;
  spawnSync('apt-get', ['update', '-qq']);
  return install().status === 0;
}

describe('docker-compose.yml', () => {
  let config: (...options: string[]) => string;
  let whole: string;

  beforeAll(() => {
    const [name, ...leading] = findCompose();
    config = (...options) =>
      execFileSync(name, [...leading, '-f', join(root, 'docker-compose.yml'), 'config', ...options], {
        encoding: 'utf8',
        env: { PATH: process.env['PATH'], HOME: process.env['HOME'] },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    whole = config();
  }, 300_000);

  it('is one service with one volume', () => {
    expect(config('--services').trim()).toBe('tallyhop');
    expect(config('--volumes').trim()).toBe('data');
  });

  it('keeps the data of the program in the volume', () => {
    expect(dockerfile).toMatch(/^ENV .*\bDATA_DIR=\/data\b/m);
    // Version 1 writes a volume in one line, version 2 in four.
    expect(whole).toMatch(/- data:\/data(?::rw)?\n|source: data\n\s+target: \/data\n/);
  });

  it('gives more time to stop than the program takes at the most', () => {
    const seconds = Number(/stop_grace_period: (\d+)s/.exec(whole)?.[1]);
    expect(seconds * 1000).toBeGreaterThan(parseConfig({}).shutdownTimeoutMs);
  });

  it('sets nothing that the program does not know, and starts with what it sets', () => {
    const environment = /\n {4}environment:\n((?: {6}.*\n)+)/.exec(whole)?.[1] ?? '';
    const names = [...environment.matchAll(/^ {6}([A-Z_]+):/gm)].map((match) => match[1] ?? '');
    expect(names.length).toBeGreaterThan(0);
    const source = readFileSync(join(root, 'src', 'config.ts'), 'utf8');
    for (const name of names) expect(source).toContain(`'${name}'`);
    const values = Object.fromEntries(names.filter((name) => name !== 'CODE_SECRET').map((name) => [name, '']));
    expect(() => parseConfig(values)).not.toThrow();
  });
});

describe('the Dockerfile', () => {
  it('runs no install script, keeps tools of development out, and gives up root', () => {
    const installs = dockerfile.split('\n').filter((line) => line.includes('npm ci'));
    expect(installs).toHaveLength(2);
    for (const line of installs) expect(line).toContain('--ignore-scripts');
    expect(installs[1]).toContain('--omit=dev');
    const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    expect(lastStage).not.toContain('COPY --from=build /app/node_modules');
    expect(lastStage).toMatch(/^USER node$/m);
    expect(lastStage.trimEnd().endsWith('CMD ["node", "dist/main.js"]')).toBe(true);
  });

  it('copies only what is there', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) =>
      (match[1] ?? '').split(' '),
    );
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
