/** Links for instances that have none of their own: what is asked, answered and refused. */
import { InternalRefusal } from '../../../src/http/internal/internal-door.ts';
import { linkFindsRoute, parseFoundLink } from '../../../src/http/internal/link-finds.ts';
import { LogUnavailable } from '../../../src/ports/event-log.ts';
import { aLink } from '../../support/link-builders.ts';

describe('a question for a link', () => {
  const known = aLink({ code: 'known', url: 'https://example.org/known', ordinal: 7 });
  let table: Map<string, typeof known>;
  let passed: string[];
  let found: string[];
  let pass: () => Promise<void>;

  beforeEach(() => {
    table = new Map([['known', known]]);
    [passed, found] = [[], []];
    pass = async () => undefined;
  });

  const ask = (body: unknown) =>
    linkFindsRoute({
      linkTable: { find: (code) => table.get(code) },
      barrier: {
        pass(code) {
          passed.push(code);
          return pass();
        },
      },
      onFound: ({ code }) => found.push(code),
    }).answer(body);

  it('is answered with the link, all of it but its place in lists', async () => {
    const answer = await ask({ code: 'known' });
    expect(parseFoundLink(JSON.parse(JSON.stringify(answer)), 'known')).toEqual({ ...known, ordinal: 0 });
    expect([passed, found]).toEqual([[], ['known']]);
  });

  it('is answered with what the table has behind the barrier', async () => {
    pass = async () => {
      table.set('new', aLink({ code: 'new' }));
    };
    expect(parseFoundLink(await ask({ code: 'new' }), 'new')).toMatchObject({ code: 'new' });
    expect(parseFoundLink(await ask({ code: 'none' }), 'none')).toBeNull();
    expect([passed, found]).toEqual([['new', 'none'], ['new']]);
  });

  it('has no answer while the barrier cannot be passed', async () => {
    pass = () => Promise.reject(new LogUnavailable('away'));
    await expect(ask({ code: 'none' })).rejects.toThrow(LogUnavailable);
  });

  it.each([null, {}, { code: 7 }, { code: '' }, { code: 'a/b' }, { code: 'x'.repeat(65) }, 'known'])(
    'that is %j is refused',
    async (body) => {
      await expect(ask(body)).rejects.toThrow(InternalRefusal);
    },
  );

  it.each([undefined, null, {}, { link: 7 }])('finds no answer in %j', (body) => {
    expect(parseFoundLink(body, 'known')).toBeUndefined();
  });

  it('does not take the answer for another code', async () => {
    expect(parseFoundLink(await ask({ code: 'known' }), 'other')).toBeUndefined();
  });
});
