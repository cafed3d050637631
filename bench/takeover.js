/**
 * From the kill of an instance to the moment when another has all its tasks: in all, and from the moment when the group has noticed and
 * shared them out anew, which Kafka's session timeout decides.
 */
import { setTimeout as delay } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import { row } from './figures.js';
import { createInstallation } from './installation.js';
import { end } from './processes.js';

const { Kafka, logLevel } = kafkajs;
const partitions = 8;
const pollMs = 10;
const deadlineMs = 120_000;

export async function measureTakeover(context, services) {
  const rows = [];
  const details = {};
  for (const standbys of [1, 0]) {
    const figures = await takeOver(context, services, standbys);
    const name = standbys === 1 ? 'with a standby' : 'without one';
    const asked = standbys === 1 ? { atMost: 5_000 } : {};
    rows.push(
      row(`takeover after the rebalance, ${name}`, figures.afterRebalanceMs, 'ms', asked),
      row(`takeover after the kill, ${name}`, figures.afterKillMs, 'ms'),
    );
    details[name] = figures;
  }
  return { rows, details };
}

async function takeOver({ codes, links, visits, workDir, quick }, services, standbys) {
  const settings = { STANDBYS: String(standbys) };
  const installation = await createInstallation(services, {
    ...{ name: `takeover-${standbys}`, codes: codes.slice(0, 1_000), partitions, workDir, settings },
  });
  await installation.shipVisits(quick ? visits : Math.round(visits / 5), links);
  const killed = await installation.startInstance();
  const survivor = await installation.startInstance();
  const admin = new Kafka({ brokers: services.kafkaBrokers, logLevel: logLevel.NOTHING }).admin();
  await admin.connect();
  const rolesOf = async (instance, role) =>
    (await installation.tasksOf(instance).catch(() => [])).filter((task) => task.role === role);
  try {
    await poll('both have tasks, and the standbys are warm', async () => {
      const [own, others] = [await rolesOf(killed, 'active'), await rolesOf(survivor, 'active')];
      if (own.length === 0 || own.length + others.length !== partitions) return false;
      if (standbys === 0) return true;
      const copies = await rolesOf(survivor, 'standby');
      return own.every(({ partition, nextOffset }) =>
        copies.some((copy) => copy.partition === partition && copy.nextOffset === nextOffset),
      );
    });
    const moved = (await rolesOf(killed, 'active')).length;
    const startMs = performance.now();
    await end(killed, 'SIGKILL');
    const [rebalancedMs, takenOverMs] = await Promise.all([
      poll('the group has one member', async () => {
        const { groups } = await admin.describeGroups([installation.group]);
        return groups[0].state === 'Stable' && groups[0].members.length === 1;
      }),
      poll('the survivor has all tasks', async () => (await rolesOf(survivor, 'active')).length === partitions),
    ]);
    return { moved, afterKillMs: takenOverMs - startMs, afterRebalanceMs: Math.max(0, takenOverMs - rebalancedMs) };
  } finally {
    await admin.disconnect();
    await end(survivor);
  }
}

/** When the condition was met. */
async function poll(what, condition) {
  const startMs = performance.now();
  while (!(await condition())) {
    if (performance.now() - startMs > deadlineMs) throw new Error(`waited in vain until ${what}`);
    await delay(pollMs);
  }
  return performance.now();
}
