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

let compose: Command;

beforeAll(() => {
  compose = findCompose();
}, 300_000);

/** What Compose makes of files; options are those of `config`. */
function configOf(files: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return (...options: string[]): string => {
    const [name, ...leading] = compose;
    const named = files.flatMap((file) => ['-f', join(root, file)]);
    return execFileSync(name, [...leading, ...named, 'config', ...options], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
}

/** The text of a service in the output of `config`. */
function serviceIn(whole: string, name: string): string {
  return new RegExp(`\\n  ${name}:\\n((?: {4}.*\\n)+)`).exec(whole)?.[1] ?? '';
}

function environmentIn(service: string): Record<string, string> {
  const block = /(?:^|\n) {4}environment:\n((?: {6}.*\n)+)/.exec(service)?.[1] ?? '';
  return Object.fromEntries(
    [...block.matchAll(/^ {6}(\w+): (.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value.replace(/^(['"])(.*)\1$/, '$2'),
    ]),
  );
}

/** Version 1 writes a volume in one line, version 2 in four. */
const mounts = (service: string, volume: string, path: string) =>
  new RegExp(`- ${volume}:${path}(?::rw)?\\n|source: ${volume}\\n\\s+target: ${path}\\n`).test(service);

const source = readFileSync(join(root, 'src', 'config.ts'), 'utf8');

describe('docker-compose.yml', () => {
  const config = configOf(['docker-compose.yml']);
  let whole: string;

  beforeAll(() => {
    whole = config();
  });

  it('is one service with one volume', () => {
    expect(config('--services').trim()).toBe('tallyhop');
    expect(config('--volumes').trim()).toBe('data');
  });

  it('keeps the data of the program in the volume', () => {
    expect(dockerfile).toMatch(/^ENV .*\bDATA_DIR=\/data\b/m);
    expect(mounts(serviceIn(whole, 'tallyhop'), 'data', '/data')).toBe(true);
  });

  it('gives more time to stop than the program takes at the most', () => {
    const seconds = Number(/stop_grace_period: (\d+)s/.exec(whole)?.[1]);
    expect(seconds * 1000).toBeGreaterThan(parseConfig({}).shutdownTimeoutMs);
  });

  it('sets nothing that the program does not know, and starts with what it sets', () => {
    const names = Object.keys(environmentIn(serviceIn(whole, 'tallyhop')));
    expect(names.length).toBeGreaterThan(0);
    for (const name of names) expect(source).toContain(`'${name}'`);
    const values = Object.fromEntries(names.filter((name) => name !== 'CODE_SECRET').map((name) => [name, '']));
    expect(() => parseConfig(values)).not.toThrow();
  });
});

describe('docker-compose.distributed.yml', () => {
  const secrets = { CODE_SECRET: '8f1c2ab09d7e4463b1f05a', REDIS_PASSWORD: '5be0907a1d' };
  const files = ['docker-compose.distributed.yml'];
  const three = [1, 2, 3];

  it('is three brokers, Redis, three instances and one address', () => {
    const services = configOf(files, secrets)('--services').trim().split('\n').sort();
    expect(services).toEqual([
      'front',
      ...three.map((n) => `kafka-${n}`),
      'redis',
      ...three.map((n) => `tallyhop-${n}`),
    ]);
  });

  it('does not start without secrets', () => {
    for (const name of Object.keys(secrets)) {
      expect(() => configOf(files, { ...secrets, [name]: '' })()).toThrow(name);
    }
  });

  it('keeps three copies, two of which must be written, each on a volume of its own', () => {
    const whole = configOf(files, secrets)();
    for (const n of three) {
      const kafka = serviceIn(whole, `kafka-${n}`);
      expect(kafka).toMatch(/image: apache\/kafka:4\.3\./);
      expect(environmentIn(kafka)).toMatchObject({
        KAFKA_NODE_ID: String(n),
        KAFKA_ADVERTISED_LISTENERS: `BROKER://kafka-${n}:9092`,
        KAFKA_DEFAULT_REPLICATION_FACTOR: '3',
        KAFKA_MIN_INSYNC_REPLICAS: '2',
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '3',
        KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'false',
        KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
      });
      expect(mounts(kafka, `kafka-${n}`, environmentIn(kafka)['KAFKA_LOG_DIRS'] ?? '')).toBe(true);
      expect(kafka).toContain('healthcheck:');
    }
  });

  it('gives each instance a volume, an address for the others, and more time to stop than it takes', () => {
    const whole = configOf(files, secrets)();
    for (const n of three) {
      const instance = serviceIn(whole, `tallyhop-${n}`);
      expect(mounts(instance, `tallyhop-${n}`, '/data')).toBe(true);
      expect(environmentIn(instance)).toMatchObject({
        ...secrets,
        ADVERTISED_URL: `http://tallyhop-${n}:3000`,
        KAFKA_BROKERS: 'kafka-1:9092,kafka-2:9092,kafka-3:9092',
        REDIS_URL: 'redis://redis:6379',
      });
      const seconds = Number(/stop_grace_period: (\d+)s/.exec(instance)?.[1]);
      expect(seconds * 1000).toBeGreaterThan(parseConfig({}).shutdownTimeoutMs);
    }
  });

  it.each([[files], [[...files, 'deploy/tls/compose.yml']]])('sets what the program takes: %j', (given) => {
    const whole = configOf(given, secrets)();
    for (const n of three) {
      const environment = environmentIn(serviceIn(whole, `tallyhop-${n}`));
      for (const name of Object.keys(environment)) expect(source).toContain(`'${name}'`);
      expect(() => parseConfig(environment)).not.toThrow();
    }
  });

  it('publishes the front alone, on this machine alone, and it knows every instance', () => {
    const whole = configOf(files, secrets)();
    expect([...whole.matchAll(/^ {4}ports:/gm)]).toHaveLength(1);
    expect(serviceIn(whole, 'front')).toMatch(/127\.0\.0\.1:3000:3000|host_ip: 127\.0\.0\.1/);
    const front = readFileSync(join(root, 'deploy', 'haproxy', 'haproxy.cfg'), 'utf8');
    for (const n of three) expect(front).toContain(`server tallyhop-${n} tallyhop-${n}:3000`);
  });

  it('has TLS everywhere and rights in Kafka with deploy/tls/compose.yml', () => {
    const whole = configOf([...files, 'deploy/tls/compose.yml'], secrets)();
    for (const n of three) {
      expect(environmentIn(serviceIn(whole, `kafka-${n}`))).toMatchObject({
        KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'BROKER:SSL,CONTROLLER:SSL',
        KAFKA_SSL_KEYSTORE_LOCATION: `/etc/kafka/secrets/kafka-${n}.keystore.pem`,
        KAFKA_SSL_CLIENT_AUTH: 'required',
        KAFKA_MIN_INSYNC_REPLICAS: '2',
      });
      const instance = serviceIn(whole, `tallyhop-${n}`);
      expect(environmentIn(instance)).toMatchObject({ KAFKA_TLS: 'on', REDIS_URL: 'rediss://redis:6379', ...secrets });
      expect(mounts(instance, `tallyhop-${n}`, '/data')).toBe(true);
    }
    expect(serviceIn(whole, 'redis')).toContain('--tls-port');
    expect(serviceIn(whole, 'kafka-rights')).toContain('acls.sh');
  });
});

describe('the services of tests', () => {
  it('can be containers', () => {
    const settings = { FOLDER: '/tmp/services', PROJECT: 'test', USER_ID: '1:1', KAFKA_VERSION: '4.3.0' };
    const services = configOf(['scripts/services/compose.yml'], settings)('--services').trim().split('\n').sort();
    expect(services).toEqual(['kafka-1', 'kafka-2', 'kafka-3', 'redis']);
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
  });

  it('starts the program as `npm start` does', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: { start: string } };
    const command = /\nCMD (\[.+\])\n$/.exec(dockerfile)?.[1] ?? '[]';
    expect(JSON.parse(command)).toEqual(scripts.start.split(' '));
  });

  it('copies only what is there', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap((match) =>
      (match[1] ?? '').split(' '),
    );
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
