import fc from 'fast-check';
import { decodeLinkEvent, encodeLinkEvent, MalformedEvent, UnknownEventVersion } from '../../src/serde/link-event.ts';
import { linkEvents } from '../support/link-arbitraries.ts';
import { anEvent, someSettings } from '../support/link-builders.ts';

const creation = anEvent(0, { type: 'LinkCreated', kind: 'alias', ...someSettings }, Date.UTC(2026, 0, 1));

function json(value: Buffer): Record<string, unknown> {
  return JSON.parse(value.toString('utf8')) as Record<string, unknown>;
}

/** The creation's bytes with members of the envelope or of the data replaced; undefined leaves one out. */
function bytesWith(members: Record<string, unknown>, data: Record<string, unknown> = {}): Buffer {
  const event = json(encodeLinkEvent(creation));
  return Buffer.from(JSON.stringify({ ...event, data: { ...(event['data'] as object), ...data }, ...members }));
}

describe('bytes of a link event', () => {
  it('say it after CloudEvents, one type and version a fact', () => {
    expect(json(encodeLinkEvent(creation))).toEqual({
      specversion: '1.0',
      id: 'event-0',
      source: 'tallyhop',
      type: 'tallyhop.link.created.v1',
      time: '2026-01-01T00:00:00.000Z',
      subject: 'aB3dE6g',
      data: {
        by: 'anonymous',
        commandId: 'command-0',
        expectedVersion: 0,
        kind: 'alias',
        url: 'https://example.com/',
        expiresAt: null,
        maxVisits: null,
        tags: [],
        note: null,
      },
    });
  });

  it('read back as the event that was written', () => {
    fc.assert(
      fc.property(linkEvents, (event) => {
        expect(decodeLinkEvent(encodeLinkEvent(event))).toEqual(event);
      }),
      { numRuns: 500 },
    );
  });

  it('say the same in another layout', () => {
    fc.assert(
      fc.property(linkEvents, (event) => {
        const spaced = JSON.stringify(json(encodeLinkEvent(event)), null, 1);
        expect(decodeLinkEvent(Buffer.from(spaced))).toEqual(event);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['a number with a leading zero', '"maxVisits":null', '"maxVisits":01'],
    ['a line break in a text', '"by":"anonymous"', '"by":"anony\nmous"'],
    ['a byte that is no ASCII', '"by":"anonymous"', '"by":"anony\xffmous"'],
    ['an end after a comma', '"note":null', '"note":null,'],
    ['a list that ends after a comma', '"tags":[]', '"tags":["a",]'],
    ['something behind the end', '"note":null}}', '"note":null}}}'],
    ['a text that breaks off', '"note":null', '"note":"'],
  ])('are refused with %s', (_what, piece, instead) => {
    const wrong = encodeLinkEvent(creation).toString().replace(piece, instead);
    expect(wrong).toContain(instead);
    expect(() => decodeLinkEvent(Buffer.from(wrong, 'latin1'))).toThrow(MalformedEvent);
  });

  it('of the first version stay readable for ever', () => {
    const stored =
      '{"specversion":"1.0","id":"1","source":"tallyhop","type":"tallyhop.link.changed.v1","time":"2026-01-01T00:00:00.000Z",' +
      '"subject":"aB3dE6g","data":{"by":"anonymous","commandId":"c","expectedVersion":3,"changes":{"tags":["a"],"disabled":true}}}';
    expect(decodeLinkEvent(Buffer.from(stored))).toEqual({
      id: '1',
      code: 'aB3dE6g',
      at: Date.UTC(2026, 0, 1),
      by: 'anonymous',
      commandId: 'c',
      expectedVersion: 3,
      type: 'LinkChanged',
      changes: { tags: ['a'], disabled: true },
    });
  });

  it('may hold members that this build does not know; they are left out', () => {
    expect(decodeLinkEvent(bytesWith({ traceparent: '00-1' }, { mood: 'good' }))).toEqual(creation);
    const polluting = encodeLinkEvent(creation).toString().replace('"data":{', '"data":{"__proto__":{"by":"evil"},');
    expect(decodeLinkEvent(Buffer.from(polluting))).toEqual(creation);
  });

  it.each(['tallyhop.link.created.v2', 'tallyhop.link.created', 'tallyhop.link.frozen.v1', 'tallyhop.link.__proto__'])(
    'of the type %s come from a newer build: the partition waits for an upgrade',
    (type) => {
      expect(() => decodeLinkEvent(bytesWith({ type }))).toThrow(UnknownEventVersion);
    },
  );

  it.each([
    ['another type', bytesWith({ type: 'tallyhop.visit.v1' })],
    ['no type', bytesWith({ type: undefined })],
    ['no data', bytesWith({ data: undefined })],
    ['a list as data', bytesWith({ data: [] })],
    ['no id', bytesWith({ id: '' })],
    ['a subject that is no code', bytesWith({ subject: 'a/b' })],
    ['a subject that is too long', bytesWith({ subject: 'x'.repeat(65) })],
    ['a time in words', bytesWith({ time: 'now' })],
    ['a year that is no number', bytesWith({ time: 'x026-01-01T00:00:00.000Z' })],
    ['a time in another spelling', bytesWith({ time: '2026-01-01T00:00:00Z' })],
    ['a time as a number', bytesWith({ time: 1 })],
    ['no command', bytesWith({}, { commandId: undefined })],
    ['nobody who asked', bytesWith({}, { by: 7 })],
    ['a negative version', bytesWith({}, { expectedVersion: -1 })],
    ['half a version', bytesWith({}, { expectedVersion: 0.5 })],
    ['a kind unheard of', bytesWith({}, { kind: 'borrowed' })],
    ['another scheme', bytesWith({}, { url: 'javascript:alert(1)' })],
    ['a line break in the URL', bytesWith({}, { url: 'https://example.com/\r\nSet-Cookie: a=b' })],
    ['a URL beyond ASCII', bytesWith({}, { url: 'https://example.com/ü' })],
    ['an endless URL', bytesWith({}, { url: `https://example.com/${'a'.repeat(3000)}` })],
    ['no expiry, not even null', bytesWith({}, { expiresAt: undefined })],
    ['an expiry beyond all dates', bytesWith({}, { expiresAt: 8_640_000_000_000_001 })],
    ['no visits at all', bytesWith({}, { maxVisits: 0 })],
    ['tags as a text', bytesWith({}, { tags: 'a' })],
    ['a number as a tag', bytesWith({}, { tags: [1] })],
    ['a note as a list', bytesWith({}, { note: [] })],
    ['changes as a text', bytesWith({ type: 'tallyhop.link.changed.v1' }, { changes: 'x' })],
    ['a change to no URL', bytesWith({ type: 'tallyhop.link.changed.v1' }, { changes: { url: null } })],
    ['a status in words', bytesWith({ type: 'tallyhop.link.changed.v1' }, { changes: { disabled: 'yes' } })],
    [
      'a rolling back to nowhere',
      bytesWith({ type: 'tallyhop.link.rolled-back.v1' }, { disabled: false, toVersion: 0 }),
    ],
    ['a list', Buffer.from('[]')],
    ['null', Buffer.from('null')],
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{"id":')],
    ['no UTF-8', Buffer.concat([encodeLinkEvent(creation).subarray(0, -2), Buffer.from([0xff, 0x7d, 0x7d])])],
    ['a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), encodeLinkEvent(creation)])],
  ])('with %s are malformed', (_what, bytes) => {
    expect(() => decodeLinkEvent(bytes)).toThrow(MalformedEvent);
  });

  it('with a byte changed or cut off are read as an event or refused with a typed error, never otherwise', () => {
    const flip = fc.tuple(linkEvents, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.boolean());
    fc.assert(
      fc.property(flip, ([event, place, mask, cut]) => {
        const bytes = Buffer.from(encodeLinkEvent(event));
        const at = place % bytes.length;
        bytes[at] = (bytes[at] ?? 0) ^ mask;
        try {
          expect(decodeLinkEvent(cut ? bytes.subarray(0, at) : bytes).code).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
        } catch (error) {
          expect(error instanceof MalformedEvent || error instanceof UnknownEventVersion).toBe(true);
        }
      }),
      { numRuns: 1000 },
    );
  });
});
