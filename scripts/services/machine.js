/**
 * What the machine has for running Kafka and Redis: Java, Maven, the broker's jars (fetched once into a cache), redis-server,
 * a Docker engine. Installs what is missing where that is one command.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const kafkaVersions = { current: '4.3.0', older: '3.9.2' };

const cacheFolder = fileURLToPath(new URL('../../node_modules/.cache/tallyhop-kafka/', import.meta.url));
const pom = fileURLToPath(new URL('pom.xml', import.meta.url));
const pomHash = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 8);
const jarsFolder = (version) => join(cacheFolder, `${version}-${pomHash}`);
/** Another installation may be under way. */
const waitForLock = ['-o', 'DPkg::Lock::Timeout=120'];
const javaMin = 17;
const redisMin = 7;

/** None of the four ways is there. The message says what they are. */
export class ServicesMissing extends Error {
  name = 'ServicesMissing';
  constructor(why) {
    super(`Kafka or Redis cannot be started here: ${why}
Tests and benches need both. There are four ways to give them, and the first that is there is taken:
  1. Set KAFKA_BROKERS (such as 127.0.0.1:9092) and REDIS_URL (such as redis://127.0.0.1:6379) to ones that run.
  2. Install a JDK of version ${javaMin} or newer, Maven, and redis-server of version ${redisMin} or newer.
  3. Be root on Debian or Ubuntu: apt-get then installs these.
  4. Start a Docker engine, with Compose, on Linux.`);
  }
}

/** Path of the Java that runs brokers, or undefined. */
function findJava() {
  const roots = existsSync('/usr/lib/jvm') ? readdirSync('/usr/lib/jvm').map((name) => `/usr/lib/jvm/${name}`) : [];
  const homes = [process.env.JAVA_HOME, ...roots].filter((home) => home !== undefined && home !== '');
  const candidates = ['java', ...homes.map((home) => join(home, 'bin', 'java'))];
  return candidates.find((java) => major(/version "(\d+)/, spawnSync(java, ['-version']).stderr) >= javaMin);
}

function hasRedisServer() {
  const answer = spawnSync('redis-server', ['--version']);
  return major(/v=(\d+)/, answer.stdout) >= redisMin;
}

function major(pattern, output) {
  return Number(pattern.exec(String(output))?.[1] ?? 0);
}

/** The folder of a broker's jars, or undefined when it was not fetched and there is no Maven to do it. */
function fetchBroker(version) {
  const folder = jarsFolder(version);
  if (existsSync(folder)) return folder;
  if (spawnSync('mvn', ['-version']).status !== 0) return undefined;
  mkdirSync(cacheFolder, { recursive: true });
  // Beside the final folder, then renamed: nobody sees half of it, and of two that fetch at once the first is kept.
  const incoming = mkdtempSync(join(cacheFolder, 'incoming-'));
  try {
    const settings = [`-Dkafka.version=${version}`, `-DoutputDirectory=${incoming}`];
    execFileSync('mvn', ['-B', '-q', '-f', pom, ...settings, 'dependency:copy-dependencies'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    renameSync(incoming, folder);
  } catch (error) {
    if (existsSync(folder)) return folder;
    throw new Error(`Maven cannot fetch Kafka ${version}: ${error.stdout || error.message}`);
  } finally {
    rmSync(incoming, { recursive: true, force: true });
  }
  return folder;
}

const canInstall = () => process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/etc/debian_version');

/** By the Debian packages that give them; each attempt is one set of packages, the first that installs is enough. */
function aptInstall(...attempts) {
  const options = { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  const install = (names) =>
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...waitForLock, ...names], options);
  const installed = () => attempts.some((names) => install(names).status === 0);
  // An update first would delete archives that another install is unpacking.
  if (installed()) return;
  spawnSync('apt-get', ['update', '-qq'], options);
  installed();
}

/** Java and the jars of a broker, installed and fetched where they are missing; undefined when that is not possible. */
export function provideBroker(version) {
  if (!existsSync(jarsFolder(version)) && spawnSync('mvn', ['-version']).status !== 0 && canInstall()) {
    aptInstall(['maven']);
  }
  if (findJava() === undefined && canInstall()) aptInstall(['openjdk-21-jre-headless'], ['openjdk-17-jre-headless']);
  const java = findJava();
  const jars = java === undefined ? undefined : fetchBroker(version);
  return jars === undefined ? undefined : { java, jars };
}

/** Whether there is a redis-server, which is installed where it is missing. */
export function provideRedisServer() {
  if (!hasRedisServer() && canInstall()) aptInstall(['redis-server']);
  return hasRedisServer();
}
