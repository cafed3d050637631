/** The script that gives tests their Kafka and Redis: what the other tests rely on. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import Redis from 'ioredis';
import kafkajs from 'kafkajs';
import { type Services, sharedServices, startOwnServices, topicPrefix } from './support/services.ts';
import { until } from './support/until.ts';

const script = fileURLToPath(new URL('../scripts/services.js', import.meta.url));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function client(brokers: readonly string[]) {
  return new kafkajs.Kafka({ brokers: [...brokers], logLevel: kafkajs.logLevel.NOTHING });
}
