/**
 * The bodies of the API as zod schemas, for the OpenAPI document and for the tests that hold every answer against it.
 * Requests are not narrowed here: the domain's `parse…` functions do that, with all errors at once.
 */
import { z } from 'zod';
import { fieldErrorCodes } from '../../domain/refusal.ts';

const count = z.int().min(0);
const instant = z.iso.datetime({ precision: 3 }).meta({ example: '2026-11-03T09:15:00.000Z' });
const zonedInstant = z.iso.datetime({ offset: true }).meta({ example: '2026-11-03T00:00:00+01:00' });
const code = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/)
  .meta({ example: 'q7Zp3Xa' });
const status = z.enum(['active', 'disabled', 'expired', 'exhausted', 'deleted']);
const url = z
  .url({ protocol: /^https?$/ })
  .max(2048)
  .meta({ example: 'https://example.com/a/long/path?with=query' });
const tags = z.array(z.string().min(1).max(50)).max(20);
const note = z.string().max(1000).nullable();
/** What is taken as a tag or note: no control characters, and a tag is more than spaces. */
const controls = '\\u0000-\\u0008\\u000b-\\u001f\\u007f-\\u009f';
const inTag = `[^${controls}\\t\\n\\u2028\\u2029]`;
const newTag = z
  .string()
  .max(50)
  .regex(new RegExp(`^${inTag}*(?!\\s)${inTag}+$`));
const newTags = z.array(newTag).max(20);
const newNote = z
  .string()
  .max(1000)
  .regex(new RegExp(`^[^${controls}]*$`))
  .nullable();
const maxVisits = z.int().min(1).max(1_000_000_000).nullable();

export const positionToken = z
  .string()
  .regex(/^[0-9a-f]{8}(\.\d{1,4}-[0-9a-z]{1,11})*$/)
  .meta({ description: 'Position token: all that was counted when this was read. Opaque.', example: '9f86d081.0-pqr' });

export const visitsSchema = z
  .strictObject({ total: count, nonBots: count, bots: count, lastVisitAt: instant.nullable() })
  .meta({ id: 'Visits', description: 'All-time visits; total = nonBots + bots.' });

export const linkSchema = z
  .strictObject({
    code,
    shortUrl: z.url().meta({ example: 'http://localhost:3000/q7Zp3Xa' }),
    url,
    version: z.int().min(1),
    status,
    createdAt: instant,
    updatedAt: instant,
    expiresAt: instant.nullable(),
    maxVisits,
    tags,
    note,
    visits: visitsSchema.nullable().meta({
      description: 'Null right after a change, while the statistics cannot be read.',
    }),
  })
  .meta({ id: 'Link' });

export const linkPageSchema = z
  .strictObject({ links: z.array(linkSchema), nextCursor: z.string().nullable(), position: positionToken })
  .meta({ id: 'LinkPage' });

export const newLinkSchema = z
  .strictObject({
    url,
    alias: z
      .string()
      .regex(/^[A-Za-z0-9_-]{3,64}$/)
      .nullable()
      .optional(),
    expiresAt: z.iso.datetime({ offset: true }).nullable().optional(),
    maxVisits: maxVisits.optional(),
    tags: newTags.optional(),
    note: newNote.optional(),
    unique: z.boolean().optional().meta({ description: 'A code of its own, even if the URL has one already.' }),
  })
  .meta({ id: 'NewLink', example: { url: 'https://example.com/', tags: ['campaign'] } });

export const linkPatchSchema = z
  .strictObject({
    url: url.optional(),
    expiresAt: z.iso.datetime({ offset: true }).nullable().optional(),
    maxVisits: maxVisits.optional(),
    tags: newTags.nullable().optional(),
    note: newNote.optional(),
    status: z.enum(['active', 'disabled']).optional(),
  })
  .meta({ id: 'LinkPatch', description: 'JSON Merge Patch (RFC 7396).', example: { note: null, status: 'disabled' } });

export const rollbackSchema = z
  .strictObject({ version: z.int().min(1) })
  .meta({ id: 'Rollback', example: { version: 1 } });
export const emptySchema = z.strictObject({}).meta({ id: 'Empty' });

const changes = z.record(z.string(), z.strictObject({ from: z.unknown(), to: z.unknown() }));

export const historySchema = z
  .strictObject({
    events: z.array(
      z.strictObject({
        id: z.string(),
        type: z.enum([
          'LinkCreated',
          'LinkChanged',
          'LinkDisabled',
          'LinkEnabled',
          'LinkDeleted',
          'LinkRestored',
          'LinkRolledBack',
        ]),
        at: instant,
        by: z.string(),
        version: z.int().min(0),
        effective: z.boolean(),
        refusal: z.literal('lost-race').optional(),
        changes,
        position: z.strictObject({ partition: count, offset: z.string().regex(/^\d+$/) }),
      }),
    ),
    nextCursor: z.string().nullable(),
  })
  .meta({ id: 'History' });

const named = z.array(z.strictObject({ name: z.string(), visits: count }));

export const statisticsSchema = z
  .strictObject({
    code,
    url: z.string(),
    from: zonedInstant,
    to: zonedInstant,
    interval: z.enum(['15m', 'hour', 'day', 'week', 'month']),
    timezone: z.string().meta({ example: 'Europe/Berlin' }),
    total: count,
    nonBots: count,
    bots: count,
    prefetches: count,
    uniqueVisitors: count,
    firstVisitAt: instant.nullable(),
    lastVisitAt: instant.nullable(),
    series: z.array(z.strictObject({ start: zonedInstant, total: count, nonBots: count })),
    referrers: named,
    countries: named,
    browsers: named,
    os: named,
    devices: named,
    languages: named,
    sources: named,
    campaigns: named,
    crawlers: named,
    breakdownRange: z.strictObject({ from: zonedInstant, to: zonedInstant }),
    position: z.strictObject({
      token: positionToken,
      partition: count,
      offset: z.string().regex(/^\d+$/).nullable().meta({ description: 'Last applied offset; null before the first.' }),
      at: instant,
      lagMs: z.number().min(0),
      final: z.boolean(),
    }),
  })
  .meta({ id: 'Statistics' });

export const tagsSchema = z
  .strictObject({ tags: z.array(z.strictObject({ name: z.string(), links: count })) })
  .meta({ id: 'Tags' });

export const aliasSchema = z
  .strictObject({ alias: z.string(), available: z.boolean(), reason: z.enum(fieldErrorCodes).optional() })
  .meta({ id: 'AliasAvailability' });

const progressSchema = z
  .strictObject({ fraction: z.number().min(0).max(1), recordsDone: count, recordsTotal: count })
  .meta({ id: 'RebuildProgress' });

export const problemSchema = z
  .strictObject({
    type: z.url().meta({ example: 'http://localhost:3000/api/problems/invalid-input' }),
    title: z.string(),
    status: z.int().min(400).max(599),
    detail: z.string(),
    instance: z.string(),
    errors: z
      .array(
        z.strictObject({
          pointer: z.string().meta({ example: '/url' }),
          field: z.string().meta({ example: 'url' }),
          code: z.enum(fieldErrorCodes),
          detail: z.string(),
        }),
      )
      .optional(),
    deletedAt: instant.optional(),
    progress: progressSchema.optional(),
    requestId: z.string().optional(),
  })
  .meta({ id: 'Problem', description: 'Problem details (RFC 9457).' });

export const problemTypeSchema = z
  .strictObject({ type: z.url(), title: z.string(), status: z.int(), help: z.string() })
  .meta({ id: 'ProblemType' });

export const livenessSchema = z.strictObject({ status: z.literal('ok') }).meta({ id: 'Liveness' });

export const readinessSchema = z
  .strictObject({
    status: z.enum(['ok', 'degraded', 'unavailable']),
    checks: z.record(z.string(), z.string()),
    rebuild: progressSchema.optional(),
  })
  .meta({ id: 'Readiness' });

export const eventStreamSchema = z.string().meta({
  id: 'TotalsStream',
  description:
    'Server-sent events. `totals` with data {code, total, nonBots, bots, lastVisitAt}, absolute, id = position token; `rebuild` with data {progress}; a comment every 15 s.',
  example:
    'event: totals\nid: 9f86d081.0-pqr\ndata: {"code":"q7Zp3Xa","total":2,"nonBots":1,"bots":1,"lastVisitAt":null}\n\n',
});
