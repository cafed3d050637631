/** Whether brokers answer: by a real metadata request, so that no test meets a half-started one. */
import kafkajs from 'kafkajs';

const { Kafka, logLevel } = kafkajs;

/** True when the broker at `address` names a controller and, of the cluster, all of `ids`. Never throws. */
export async function kafkaAnswers(address, ids) {
  const kafka = new Kafka({
    brokers: [address],
    logLevel: logLevel.NOTHING,
    connectionTimeout: 2_000,
    requestTimeout: 2_000,
    retry: { retries: 0 },
  });
  const admin = kafka.admin();
  try {
    await admin.connect();
    const { brokers, controller } = await admin.describeCluster();
    const present = new Set(brokers.map(({ nodeId }) => nodeId));
    return controller !== null && ids.every((id) => present.has(id));
  } catch {
    return false;
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}
