/**
 * The yardstick of the fold: a count by Kafka Streams (kafka-streams/CountVisits.java), compiled once with the JDK of the machine
 * from jars that Maven fetches once.
 */
import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const source = fileURLToPath(new URL('kafka-streams/CountVisits.java', import.meta.url));
const pom = fileURLToPath(new URL('kafka-streams/pom.xml', import.meta.url));
const cacheFolder = fileURLToPath(new URL('../node_modules/.cache/tallyhop-kafka-streams/', import.meta.url));
const heap = '-Xmx1g';

/** Class path of the compiled yardstick. Fails with what is missing. */
export function prepareKafkaStreams() {
  for (const tool of ['javac', 'mvn']) {
    if (spawnSync(tool, ['-version']).status === 0) continue;
    throw new Error(
      `${tool} is missing: install a JDK of version 17 or newer and Maven (Debian: openjdk-17-jdk-headless, maven)`,
    );
  }
  const jars = join(cacheFolder, 'jars');
  const classes = join(cacheFolder, 'classes');
  mkdirSync(cacheFolder, { recursive: true });
  if (!existsSync(jars)) {
    const incoming = mkdtempSync(`${jars}-`);
    const settings = [`-DoutputDirectory=${incoming}`, 'dependency:copy-dependencies'];
    try {
      execFileSync('mvn', ['-B', '-q', '-Dstyle.color=never', '-f', pom, ...settings], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      renameSync(incoming, jars);
    } finally {
      rmSync(incoming, { recursive: true, force: true });
    }
  }
  const compiled = join(classes, 'CountVisits.class');
  if (!existsSync(compiled) || statSync(compiled).mtimeMs < statSync(source).mtimeMs) {
    execFileSync('javac', ['-cp', join(jars, '*'), '-d', classes, source], { stdio: 'inherit' });
  }
  return `${classes}:${join(jars, '*')}`;
}

/** Counts all records of the topic's one partition, in a process of its own. Resolves with seconds and CPU µs a record. */
export async function countWithKafkaStreams(classPath, { brokers, topic, records, application, stateDir }) {
  const run = [heap, '-cp', classPath, 'CountVisits', brokers.join(','), topic, String(records), application, stateDir];
  const { stdout } = await promisify(execFile)('java', run);
  const figures = JSON.parse(stdout);
  return { ...figures, perSecond: records / figures.seconds };
}
