import fc from 'fast-check';
import {
  decideChange,
  decideCreate,
  decideDelete,
  decideDisable,
  decideEnable,
  decideRestore,
  decideRollBack,
  evolve,
  isEffective,
  type Link,
  type LinkEvent,
  type LinkFact,
  statusOf,
} from '../../src/domain/link.ts';
import { linkEvents } from '../support/link-arbitraries.ts';
import { aLink, anEvent, someSettings } from '../support/link-builders.ts';

const creation: LinkFact = { type: 'LinkCreated', kind: 'own', ...someSettings };

function fold(events: readonly LinkEvent[]): Link | undefined {
  return events.reduce<Link | undefined>((link, event) => evolve(link, event, 7), undefined);
}

describe('folding a link', () => {
  it('given a creation, there is a link of version 1 with the ordinal it was given', () => {
    expect(fold([anEvent(0, creation, 1_000)])).toEqual(aLink({ ordinal: 7 }));
  });

  it('given changes, only the named members change and the version counts them', () => {
    const link = fold([
      anEvent(0, creation, 1_000),
      anEvent(1, { type: 'LinkChanged', changes: { tags: ['a'], note: 'n' } }, 2_000),
      anEvent(2, { type: 'LinkChanged', changes: { note: null, disabled: true } }, 3_000),
      anEvent(3, { type: 'LinkEnabled' }, 4_000),
      anEvent(4, { type: 'LinkDisabled' }, 5_000),
    ]);
    expect(link).toEqual(aLink({ ordinal: 7, version: 5, tags: ['a'], note: null, disabled: true, updatedAt: 5_000 }));
  });

  it('given a deletion, only a restoring brings it back, as it was', () => {
    const events = [
      anEvent(0, creation, 1_000),
      anEvent(1, { type: 'LinkDisabled' }, 2_000),
      anEvent(2, { type: 'LinkDeleted' }, 3_000),
      anEvent(3, { type: 'LinkEnabled' }, 4_000),
      anEvent(3, { type: 'LinkDeleted' }, 4_000),
      anEvent(3, creation, 4_000),
      anEvent(0, creation, 4_000),
      anEvent(3, { type: 'LinkRolledBack', toVersion: 1, disabled: false, ...someSettings }, 4_000),
    ];
    expect(fold(events)).toEqual(aLink({ ordinal: 7, version: 3, disabled: true, deletedAt: 3_000, updatedAt: 3_000 }));
    expect(fold([...events, anEvent(3, { type: 'LinkRestored' }, 5_000)])).toEqual(
      aLink({ ordinal: 7, version: 4, disabled: true, updatedAt: 5_000 }),
    );
  });

  it('given an event that was decided on another version, the link stays the same object', () => {
    const link = aLink({ version: 3 });
    for (const expectedVersion of [0, 1, 2, 4]) {
      const event = anEvent(expectedVersion, { type: 'LinkDeleted' });
      expect(isEffective(link, event)).toBe(false);
      expect(evolve(link, event, 9)).toBe(link);
    }
  });

  it('given an event of a type from the future, the link stays as it is', () => {
    const odd = { ...anEvent(1, { type: 'LinkDeleted' }), type: 'LinkFrozen' } as unknown as LinkEvent;
    const link = aLink();
    expect(evolve(link, odd, 9)).toBe(link);
    expect(evolve(undefined, { ...odd, expectedVersion: 0 }, 9)).toBeUndefined();
  });

  it('given any sequence of events, the version counts the effective ones and the fold is a function of the sequence', () => {
    fc.assert(
      fc.property(fc.array(linkEvents, { maxLength: 30 }), (events) => {
        let link: Link | undefined;
        let effective = 0;
        for (const event of events) {
          const before = link;
          const counts = isEffective(link, event);
          link = evolve(link, event, 3);
          if (counts) effective++;
          else expect(link).toBe(before);
          if (before?.deletedAt != null && counts) expect(event.type).toBe('LinkRestored');
          if (before !== undefined) {
            expect(link?.code).toBe(before.code);
            expect(link?.kind).toBe(before.kind);
            expect(link?.ordinal).toBe(before.ordinal);
            expect(link?.createdAt).toBe(before.createdAt);
          }
        }
        expect(link?.version ?? 0).toBe(effective);
        expect(events.reduce<Link | undefined>((state, event) => evolve(state, event, 3), undefined)).toEqual(link);
      }),
      { numRuns: 500 },
    );
  });

  it('given events made effective one after the other, each raises the version by one', () => {
    fc.assert(
      fc.property(fc.array(linkEvents, { maxLength: 30 }), (events) => {
        let link: Link | undefined = aLink();
        for (const event of events) {
          const before: Link | undefined = link;
          if (before === undefined) throw new Error('a link vanished');
          const aimed: LinkEvent = { ...event, code: before.code, expectedVersion: before.version };
          link = evolve(before, aimed, 3);
          expect(link?.version).toBe(isEffective(before, aimed) ? before.version + 1 : before.version);
        }
      }),
    );
  });

  it('an event says all and nothing more: what else it carries does not reach the link', () => {
    const padded: LinkEvent = Object.assign(anEvent(0, creation, 1_000), { surprise: 1 });
    expect(evolve(undefined, padded, 7)).toEqual(aLink({ ordinal: 7 }));
  });
});

describe('the status', () => {
  const all = { deletedAt: 1, disabled: true, expiresAt: 5_000, maxVisits: 3 };

  it.each([
    [{}, 'active'],
    [all, 'deleted'],
    [{ ...all, deletedAt: null }, 'disabled'],
    [{ ...all, deletedAt: null, disabled: false }, 'expired'],
    [{ maxVisits: 3 }, 'exhausted'],
    [{ maxVisits: 4 }, 'active'],
    [{ expiresAt: 5_000 }, 'expired'],
    [{ expiresAt: 5_001 }, 'active'],
  ] as const)('of %j after 3 visits at 5,000 ms is %s', (members, status) => {
    expect(statusOf(aLink(members), 5_000, 3)).toBe(status);
  });
});

describe('deciding', () => {
  const link = aLink({ version: 4, tags: ['a', 'b'], note: 'n', maxVisits: 5 });
  const gone = aLink({ version: 5, deletedAt: 9_000 });
  const refusedAsDeleted = { refusal: 'link-deleted', code: 'aB3dE6g', deletedAt: 9_000 };

  it('a code that ever had a link is not given again', () => {
    expect(decideCreate(undefined, 'my-alias', 'alias', someSettings)).toEqual({ ...creation, kind: 'alias' });
    expect(decideCreate(link, 'my-alias', 'alias', someSettings)).toEqual({
      refusal: 'alias-taken',
      alias: 'my-alias',
    });
    expect(decideCreate(gone, 'my-alias', 'alias', someSettings)).toEqual({
      refusal: 'alias-taken',
      alias: 'my-alias',
    });
  });

  it('an event of creation holds the settings and nothing else of the input', () => {
    const input = { ...someSettings, alias: 'x', unique: true };
    expect(decideCreate(undefined, 'x', 'alias', input)).toEqual({ ...creation, kind: 'alias' });
  });

  it.each([
    [{ note: 'm' }, { type: 'LinkChanged', changes: { note: 'm' } }],
    [{ note: null }, { type: 'LinkChanged', changes: { note: null } }],
    [
      { note: 'n', maxVisits: 6 },
      { type: 'LinkChanged', changes: { maxVisits: 6 } },
    ],
    [{ tags: ['b', 'a'] }, { type: 'LinkChanged', changes: { tags: ['b', 'a'] } }],
    [{ url: 'https://other.example/' }, { type: 'LinkChanged', changes: { url: 'https://other.example/' } }],
    [{ expiresAt: 1 }, { type: 'LinkChanged', changes: { expiresAt: 1 } }],
    [{ disabled: true }, { type: 'LinkDisabled' }],
    [{ disabled: true, note: 'n' }, { type: 'LinkDisabled' }],
    [
      { disabled: true, note: 'm' },
      { type: 'LinkChanged', changes: { note: 'm', disabled: true } },
    ],
    [
      { disabled: false, note: 'm' },
      { type: 'LinkChanged', changes: { note: 'm' } },
    ],
    [{ disabled: false }, 'no-change'],
    [{}, 'no-change'],
    [{ url: link.url, tags: ['a', 'b'], note: 'n', maxVisits: 5, expiresAt: null, disabled: false }, 'no-change'],
  ])('a change to %j comes to %j', (changes, decision) => {
    expect(decideChange(link, changes)).toEqual(decision);
  });

  it('disabling and enabling change what differs', () => {
    expect(decideDisable(link)).toEqual({ type: 'LinkDisabled' });
    expect(decideEnable(link)).toBe('no-change');
    expect(decideEnable({ ...link, disabled: true })).toEqual({ type: 'LinkEnabled' });
  });

  it('a deleted link can be restored and nothing else', () => {
    expect(decideRestore(gone)).toEqual({ type: 'LinkRestored' });
    expect(decideRestore(link)).toEqual({ refusal: 'link-not-deleted', code: 'aB3dE6g' });
    expect(decideDelete(link)).toEqual({ type: 'LinkDeleted' });
    expect(decideDelete(gone)).toEqual(refusedAsDeleted);
    expect(decideChange(gone, { note: 'x' })).toEqual(refusedAsDeleted);
    expect(decideDisable(gone)).toEqual(refusedAsDeleted);
    expect(decideRollBack(gone, aLink(), 1)).toEqual(refusedAsDeleted);
  });

  it('rolling back gives the settings and the status of then', () => {
    const earlier = aLink({ version: 2, tags: ['old'], disabled: true });
    expect(decideRollBack(link, earlier, 2)).toEqual({
      type: 'LinkRolledBack',
      toVersion: 2,
      disabled: true,
      ...someSettings,
      tags: ['old'],
    });
  });

  it('rolling back to what is there already writes nothing', () => {
    expect(decideRollBack(link, link, 4)).toBe('no-change');
    expect(decideRollBack(link, { ...link, version: 2 }, 2)).toBe('no-change');
  });

  it('rolling back to a version that never was is refused', () => {
    const refused = (version: number) => ({ refusal: 'version-unknown', code: 'aB3dE6g', version });
    expect(decideRollBack(link, undefined, 0)).toEqual(refused(0));
    expect(decideRollBack(link, undefined, 9)).toEqual(refused(9));
    expect(decideRollBack(link, { ...link, version: 9 }, 9)).toEqual(refused(9));
  });

  it('whatever is decided on a link is effective on it', () => {
    fc.assert(
      fc.property(fc.array(linkEvents, { minLength: 1, maxLength: 20 }), (events) => {
        let state = aLink({ version: 3 });
        for (const event of events) {
          const decision = decisionLike(state, event);
          if (decision === 'no-change' || 'refusal' in decision) continue;
          const decided = { ...anEvent(state.version, decision), code: state.code };
          expect(isEffective(state, decided)).toBe(true);
          state = evolve(state, decided, 1) ?? state;
        }
      }),
    );
  });

  function decisionLike(state: Link, event: LinkEvent) {
    switch (event.type) {
      case 'LinkCreated':
        return decideCreate(state, state.code, event.kind, event);
      case 'LinkChanged':
        return decideChange(state, event.changes);
      case 'LinkDisabled':
        return decideDisable(state);
      case 'LinkEnabled':
        return decideEnable(state);
      case 'LinkDeleted':
        return decideDelete(state);
      case 'LinkRestored':
        return decideRestore(state);
      case 'LinkRolledBack':
        return decideRollBack(
          state,
          aLink({ ...someSettings, url: event.url, version: event.toVersion }),
          event.toVersion,
        );
    }
  }
});
