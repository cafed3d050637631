/** The Docker way: the same files and the same loopback ports as processes of the machine, in containers of compose.yml. */
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const composeFile = fileURLToPath(new URL('compose.yml', import.meta.url));
const candidates = [['docker', 'compose'], ['docker-compose']];

/** The command of Compose where an engine answers, or undefined. */
export function findEngine() {
  if (spawnSync('docker', ['info'], { timeout: 10_000 }).status !== 0) return undefined;
  return candidates.find(([name, ...leading]) => spawnSync(name, [...leading, 'version']).status === 0);
}

/** How to run services of compose.yml as containers whose names begin with the name of `folder`. */
export function createContainers(engine, { folder, kafkaVersion }) {
  const project = folder.slice(folder.lastIndexOf('/') + 1).toLowerCase();
  const env = {
    ...process.env,
    KAFKA_VERSION: kafkaVersion,
    FOLDER: folder,
    PROJECT: project,
    USER_ID: `${process.getuid?.() ?? 1000}:${process.getgid?.() ?? 1000}`,
  };
  const [command, ...leading] = engine;
  const args = (...rest) => [...leading, '-p', project, '-f', composeFile, ...rest];
  return {
    /** Takes its time the first time. */
    pull: (service) => execFileSync(command, args('pull', service), { env, stdio: 'ignore' }),
    launch: (service) => ({ command, args: args('up', service), env, container: `${project}-${service}` }),
  };
}
