/** Somebody who makes links all the time, at one instance after another, and follows each at once at all others. */
import { setTimeout as delay } from 'node:timers/promises';
import type { ProgramClient } from './program-client.ts';

export interface LinkMaker {
  /** Targets of the links whose creation was answered with 201, by code. */
  readonly targets: ReadonlyMap<string, string>;
  /** Answers to creations by their status; 0 for no answer. */
  readonly statuses: ReadonlyMap<number, number>;
  /** Links that did not lead where they should right after their creation, in words. An answer that they cannot be told now is none. */
  readonly wrong: readonly string[];
  makeOne(): Promise<void>;
  start(): void;
  stop(): Promise<void>;
}

const pauseMs = 50;

export function createLinkMaker(users: readonly ProgramClient[], name: string): LinkMaker {
  const targets = new Map<string, string>();
  const statuses = new Map<number, number>();
  const wrong: string[] = [];
  let number = 0;
  let running: Promise<void> | null = null;
  let stopped = false;

  async function makeOne(): Promise<void> {
    number += 1;
    const user = users[number % users.length];
    const url = `https://example.org/${name}/${number}?text=%C3%A9'()*#${number}`;
    const { status, body } = await made(user, url);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    if (status !== 201) return;
    const target = new URL(url).href;
    targets.set(body.code, target);
    await Promise.all(users.map((each, index) => followAt(each, index, body.code, target)));
  }

  async function made(user: ProgramClient | undefined, url: string) {
    const none = { status: 0, body: { code: '' } };
    return (await user?.api<{ code: string }>('POST', '/api/links', { url }).catch(() => none)) ?? none;
  }

  async function followAt(user: ProgramClient, index: number, code: string, url: string): Promise<void> {
    // HEAD leads where a visitor is led, and is no visit. An instance that is not there now says nothing wrong.
    const answer = await user.follow(code, { method: 'HEAD' }).catch(() => null);
    if (answer === null || answer.status === 503) return;
    if (answer.status !== 302 || answer.location !== url)
      wrong.push(`${code} at instance ${index}: ${answer.status} ${answer.location}`);
  }

  return {
    targets,
    statuses,
    wrong,
    makeOne,
    start() {
      running = (async () => {
        while (!stopped) {
          await makeOne();
          await delay(pauseMs);
        }
      })();
    },
    async stop() {
      stopped = true;
      await running;
    },
  };
}
