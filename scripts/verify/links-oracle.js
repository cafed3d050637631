/**
 * Folds the events of `links` by code of its own. An event is effective when it expects the version that its link has then; a
 * command is effective once. After `freeze` it keeps every version that a link passes through.
 */
import { NotPossible } from './not-possible.js';

const typePrefix = 'tallyhop.link.';
const dayMs = 24 * 60 * 60_000;
/** A command that comes again is known for this many days of stream time besides the present one. */
const daysRemembered = 2;
const settingNames = ['url', 'expiresAt', 'maxVisits', 'tags', 'note'];

/**
 * @typedef {{ code: string, version: number, url: string, createdAt: number, updatedAt: number, expiresAt: number | null,
 *   maxVisits: number | null, tags: string[], note: string | null, disabled: boolean, deletedAt: number | null }} LinkState
 * @typedef {ReturnType<typeof createLinksOracle>} LinksOracle
 */

export function createLinksOracle() {
  /** @type {Map<string, LinkState>} */
  const links = new Map();
  /** Effective commands of each link: one as `<day> <id>`, several as a list of these. @type {Map<string, string | string[]>} */
  const commands = new Map();
  /** @type {Map<string, Map<number, LinkState>>} */
  const later = new Map();
  const streamTimesMs = [];
  const figures = { events: 0, rejected: 0 };
  let frozen = false;

  function wasEffective(code, commandId, day) {
    return [commands.get(code) ?? []].flat().some((command) => {
      const [then, id] = [Number(command.slice(0, command.indexOf(' '))), command.slice(command.indexOf(' ') + 1)];
      return id === commandId && then <= day && then >= day - daysRemembered;
    });
  }

  function remember(code, commandId, day) {
    const command = `${day} ${commandId}`;
    const before = commands.get(code);
    commands.set(code, before === undefined ? command : [before, command].flat());
  }

  return {
    links,
    figures,
    /** Throws NotPossible for a record that is no link event: the program stops there, too. */
    take(partition, record) {
      // What a stranger wrote, the log's own first record, and what else may stand beside links one day.
      if ((record.invalid !== undefined && record.producerId === '') || record.key.startsWith('!')) return;
      const event = parseEvent(partition, record);
      const streamTimeMs = Math.max(streamTimesMs[partition] ?? 0, event.at);
      streamTimesMs[partition] = streamTimeMs;
      const day = Math.floor(streamTimeMs / dayMs);
      const before = links.get(event.code);
      const after = wasEffective(event.code, event.commandId, day) ? undefined : applied(before, event);
      if (!frozen) figures.events++;
      if (after === undefined) {
        if (!frozen) figures.rejected++;
        return;
      }
      links.set(event.code, after);
      remember(event.code, event.commandId, day);
      if (!frozen) return;
      const versions = later.get(event.code) ?? new Map();
      later.set(event.code, versions);
      if (before !== undefined) versions.set(before.version, before);
      versions.set(after.version, after);
    },
    freeze() {
      frozen = true;
    },
    /** The link at a version that it has or had since the frozen position. */
    at(code, version) {
      const link = links.get(code);
      return link?.version === version ? link : later.get(code)?.get(version);
    },
    /** All states that the link had since the frozen position. @returns {LinkState[]} */
    statesOf(code) {
      const versions = later.get(code);
      if (versions !== undefined) return [...versions.values()];
      const link = links.get(code);
      return link === undefined ? [] : [link];
    },
  };
}

/** The link after the event, undefined when that has no effect. @returns {LinkState | undefined} */
function applied(link, event) {
  const { type, data, code, at } = event;
  if (data.expectedVersion !== (link?.version ?? 0)) return undefined;
  if (link === undefined) {
    if (type !== 'created') return undefined;
    return { code, version: 1, createdAt: at, updatedAt: at, disabled: false, deletedAt: null, ...settingsOf(data) };
  }
  const next = { ...link, version: link.version + 1, updatedAt: at };
  if (type === 'restored') return link.deletedAt === null ? undefined : { ...next, deletedAt: null };
  if (link.deletedAt !== null) return undefined;
  switch (type) {
    case 'changed': {
      const { disabled = link.disabled } = data.changes;
      return { ...next, ...settingsOf(data.changes), disabled };
    }
    case 'disabled':
      return { ...next, disabled: true };
    case 'enabled':
      return { ...next, disabled: false };
    case 'deleted':
      return { ...next, deletedAt: at };
    case 'rolled-back':
      return data.toVersion < link.version ? { ...next, ...settingsOf(data), disabled: data.disabled } : undefined;
    default:
      return undefined;
  }
}

/** The settings among the members, and nothing else. */
function settingsOf(members) {
  return Object.fromEntries(
    settingNames.filter((name) => Object.hasOwn(members, name)).map((name) => [name, members[name]]),
  );
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const types = ['created', 'changed', 'disabled', 'enabled', 'deleted', 'restored', 'rolled-back'];

function parseEvent(partition, record) {
  const refuse = (what) => {
    throw new NotPossible(
      `record ${record.offset} of partition ${partition} of links ${what}: the links behind it cannot be known. ` +
        'If a newer version of the program wrote it, run the verify of that version; else restore the log from a backup.',
    );
  };
  if (record.invalid !== undefined) refuse(`is not to be believed (${record.invalid})`);
  let envelope;
  try {
    envelope = JSON.parse(utf8.decode(record.value));
  } catch {
    refuse('is not JSON');
  }
  const { type, subject, time, data } = envelope ?? {};
  const [name, version] = String(type).slice(typePrefix.length).split('.');
  if (!String(type).startsWith(typePrefix) || version !== 'v1' || !types.includes(name)) refuse(`has the type ${type}`);
  if (subject !== record.key) refuse(`is about ${subject}, its key is ${record.key}`);
  const at = Date.parse(time);
  if (!Number.isSafeInteger(at) || typeof data !== 'object' || data === null) refuse('is no link event');
  if (typeof data.commandId !== 'string' || !Number.isSafeInteger(data.expectedVersion)) refuse('is no link event');
  if (name === 'changed' && (typeof data.changes !== 'object' || data.changes === null)) refuse('is no link event');
  return { code: subject, type: name, at, commandId: data.commandId, data };
}
