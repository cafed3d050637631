import fc from 'fast-check';
import type { CreatedLink } from '../../src/commands/create-link.ts';
import type { NewLink } from '../../src/domain/link-input.ts';
import { isRefusal, type Refusal } from '../../src/domain/refusal.ts';
import { ownCode, ownCodes } from '../../src/domain/short-code.ts';
import { LogUnavailable } from '../../src/ports/event-log.ts';
import { aNewLink, type CommandBench, createCommandBench } from '../support/command-bench.ts';
import { until } from '../support/until.ts';

const url = 'https://example.com/';

async function created(bench: CommandBench, members: Partial<NewLink> = {}): Promise<CreatedLink> {
  return expectCreated(await bench.createLink(aNewLink(members), bench.context()));
}

function expectCreated(result: CreatedLink | Refusal): CreatedLink {
  if (isRefusal(result)) throw new Error(`refused: ${JSON.stringify(result)}`);
  return result;
}

describe('creating a link without wishes', () => {
  it('gives the URL its own code the first time, and the same link afterwards', async () => {
    const bench = createCommandBench();
    const first = await created(bench);
    expect(first).toMatchObject({ created: true, link: { code: ownCode(bench.codeHmac, url, 0), kind: 'own', url } });
    expect(await created(bench)).toEqual({ created: false, link: first.link });
    expect(bench.log.size).toBe(1);
  });

  it('finds the link again when it got options later', async () => {
    const bench = createCommandBench();
    const { link } = await created(bench);
    await bench.changeLink(link.code, { maxVisits: 5, tags: ['x'] }, bench.context());
    expect(await created(bench)).toMatchObject({ created: false, link: { code: link.code, maxVisits: 5 } });
  });

  it.each<[string, (bench: CommandBench, code: string) => Promise<unknown>]>([
    ['is deleted', (bench, code) => bench.deleteLink(code, bench.context())],
    ['is disabled', (bench, code) => bench.changeLink(code, { status: 'disabled' }, bench.context())],
    ['leads elsewhere', (bench, code) => bench.changeLink(code, { url: 'https://other.example/' }, bench.context())],
    [
      'is expired',
      async (bench, code) => {
        await bench.changeLink(code, { expiresAt: bench.time.nowMs + 10 }, bench.context());
        bench.time.nowMs += 10;
      },
    ],
    [
      'is used up',
      async (bench, code) => {
        await bench.changeLink(code, { maxVisits: 3 }, bench.context());
        bench.exhausted.add(code);
      },
    ],
  ])('takes the next attempt when the link there %s', async (_what, spoil) => {
    const bench = createCommandBench();
    const first = await created(bench);
    await spoil(bench, first.link.code);
    const second = await created(bench);
    expect(second).toMatchObject({ created: true, link: { code: ownCode(bench.codeHmac, url, 1), kind: 'own', url } });
    expect(await created(bench)).toEqual({ created: false, link: second.link });
  });

  it('goes back to the first link when that is restored', async () => {
    const bench = createCommandBench();
    const first = await created(bench);
    await bench.deleteLink(first.link.code, bench.context());
    await created(bench);
    await bench.restoreLink(first.link.code, bench.context());
    expect(await created(bench)).toMatchObject({ created: false, link: { code: first.link.code } });
  });

  it('leaves an alias alone that stands at its own code, even one to the same URL', async () => {
    const bench = createCommandBench();
    const alias = ownCode(bench.codeHmac, url, 0);
    await created(bench, { alias });
    const own = await created(bench);
    expect(own).toMatchObject({ created: true, link: { code: ownCode(bench.codeHmac, url, 1), kind: 'own' } });
  });

  it('takes a random code when a hundred attempts are taken', async () => {
    const bench = createCommandBench();
    for (const alias of ownCodes(bench.codeHmac, url))
      await created(bench, { alias, url: 'https://squatter.example/' });
    const { link } = await created(bench);
    expect(link).toMatchObject({ kind: 'random', code: 'r000001', url });
  });
});

describe('creating a link with wishes', () => {
  it.each<[string, Partial<NewLink>]>([
    ['unique', { unique: true }],
    ['expiresAt', { expiresAt: 2_000_000 }],
    ['maxVisits', { maxVisits: 1 }],
    ['tags', { tags: ['a'] }],
    ['note', { note: 'n' }],
  ])('%s gives a random code each time', async (_what, wish) => {
    const bench = createCommandBench();
    await created(bench);
    const first = await created(bench, wish);
    const second = await created(bench, wish);
    expect(first).toMatchObject({ created: true, link: { kind: 'random', code: 'r000001', url } });
    expect(second).toMatchObject({ created: true, link: { kind: 'random', code: 'r000002' } });
    const { unique: _, ...settings } = wish;
    expect(first.link).toMatchObject(settings);
  });

  it('draws again when a random code is taken or is the name of a route', async () => {
    const bench = createCommandBench();
    await created(bench, { alias: 'taken77' });
    bench.nextRandomCodes.push('taken77', 'METRICS', 'taken77', 'free777');
    expect(await created(bench, { unique: true })).toMatchObject({ created: true, link: { code: 'free777' } });
  });

  it('crashes rather than loops when the generator only gives taken codes', async () => {
    const bench = createCommandBench();
    bench.nextRandomCodes.push(...new Array<string>(1000).fill('Metrics'));
    await expect(bench.createLink(aNewLink({ unique: true }), bench.context())).rejects.toThrow('random codes');
    expect(bench.log.size).toBe(0);
  });

  it('draws again when another creation took the random code meanwhile', async () => {
    const bench = createCommandBench();
    bench.nextRandomCodes.push('same777', 'same777', 'other77');
    const links = await Promise.all([created(bench, { unique: true }), created(bench, { unique: true })]);
    expect(links.map(({ link }) => link.code).sort()).toEqual(['other77', 'same777']);
  });
});

describe('creating an alias', () => {
  it('gives the alias, with its options', async () => {
    const bench = createCommandBench();
    const { link } = await created(bench, { alias: 'summer', maxVisits: 5, tags: ['x'] });
    expect(link).toMatchObject({ code: 'summer', kind: 'alias', maxVisits: 5, tags: ['x'] });
  });

  it('given again with the same URL is the existing link, with another URL it is taken', async () => {
    const bench = createCommandBench();
    const { link } = await created(bench, { alias: 'summer' });
    expect(await created(bench, { alias: 'summer' })).toEqual({ created: false, link });
    const refused = await bench.createLink(
      aNewLink({ alias: 'summer', url: 'https://other.example/' }),
      bench.context(),
    );
    expect(refused).toEqual({ refusal: 'alias-taken', alias: 'summer' });
    expect(bench.log.size).toBe(1);
  });

  it('is never recycled: not when its link is deleted, disabled, expired or used up', async () => {
    const bench = createCommandBench();
    for (const alias of ['deleted', 'disabled', 'expired', 'used-up']) {
      await created(bench, {
        alias,
        ...(alias === 'expired' ? { expiresAt: bench.time.nowMs + 1 } : {}),
        maxVisits: 9,
      });
    }
    await bench.deleteLink('deleted', bench.context());
    await bench.changeLink('disabled', { status: 'disabled' }, bench.context());
    bench.exhausted.add('used-up');
    bench.time.nowMs += 1;
    for (const alias of ['deleted', 'disabled', 'expired', 'used-up']) {
      expect(await bench.createLink(aNewLink({ alias }), bench.context())).toEqual({ refusal: 'alias-taken', alias });
    }
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('can be %s without harm (S15)', async (alias) => {
    const bench = createCommandBench();
    expect(bench.table.find(alias)).toBeUndefined();
    expect((await created(bench, { alias })).link).toMatchObject({ code: alias, url });
    expect((await created(bench, { alias: 'ordinary' })).link.code).toBe('ordinary');
    expect(({} as Record<string, unknown>)['url']).toBeUndefined();
  });

  it('asked for twice at once for two URLs has one winner', async () => {
    const bench = createCommandBench();
    const other = bench.anotherInstance();
    const release = bench.log.holdFolding();
    const results = [
      bench.createLink(aNewLink({ alias: 'summer', url: 'https://a.example/' }), bench.context()),
      other.createLink(aNewLink({ alias: 'summer', url: 'https://b.example/' }), bench.context()),
    ];
    await until(() => bench.log.size === 2, 'both had decided');
    release();
    expect(await Promise.all(results)).toEqual([
      { created: true, link: expect.objectContaining({ code: 'summer', url: 'https://a.example/' }) },
      { refusal: 'alias-taken', alias: 'summer' },
    ]);
  });

  it('asked for twice at once for one URL is one link', async () => {
    const bench = createCommandBench();
    const release = bench.log.holdFolding();
    const results = [created(bench, { alias: 'summer' }), created(bench, { alias: 'summer' })];
    await until(() => bench.log.size === 2, 'both had decided');
    release();
    expect((await Promise.all(results)).map((result) => result.created)).toEqual([true, false]);
    expect(bench.table.size()).toBe(1);
  });
});

describe('one command twice', () => {
  it('answers the first outcome again and appends nothing', async () => {
    const bench = createCommandBench();
    const context = bench.context();
    const first = await bench.createLink(aNewLink({ unique: true }), context);
    expect(await bench.createLink(aNewLink({ unique: true }), context)).toEqual(first);
    expect(await bench.anotherInstance().createLink(aNewLink({ unique: true }), context)).toEqual(first);
    expect(bench.log.size).toBe(1);
  });

  it('at once waits for the first', async () => {
    const bench = createCommandBench();
    const context = bench.context();
    const results = await Promise.all(
      Array.from({ length: 5 }, () => bench.createLink(aNewLink({ unique: true }), context)),
    );
    expect(results).toEqual(new Array(5).fill(results[0]));
    expect(bench.log.size).toBe(1);
  });

  it('finds the link that its second try made, after it had lost the first code', async () => {
    const bench = createCommandBench();
    bench.nextRandomCodes.push('same777', 'same777', 'other77');
    const context = bench.context();
    await Promise.all([created(bench, { unique: true }), bench.createLink(aNewLink({ unique: true }), context)]);
    expect(bench.log.size).toBe(3);
    const again = expectCreated(await bench.createLink(aNewLink({ unique: true }), context));
    expect(again.link.code).toBe('other77');
    expect(bench.log.size).toBe(3);
  });
});

describe('a log that takes no records', () => {
  it('decides nothing: the outage passes through and the same command works later', async () => {
    const bench = createCommandBench();
    const context = bench.context();
    bench.log.plan.push('fails-unwritten');
    await expect(bench.createLink(aNewLink(), context)).rejects.toThrow(LogUnavailable);
    expect(bench.table.size()).toBe(0);
    expect(expectCreated(await bench.createLink(aNewLink(), context)).created).toBe(true);
  });

  it('may have taken it all the same: the same command then finds its link', async () => {
    const bench = createCommandBench();
    const context = bench.context();
    bench.log.plan.push('fails-written');
    await expect(bench.createLink(aNewLink({ unique: true }), context)).rejects.toThrow(LogUnavailable);
    await until(() => bench.table.size() === 1, 'the record was folded');
    expect(expectCreated(await bench.createLink(aNewLink({ unique: true }), context)).created).toBe(true);
    expect(bench.table.size()).toBe(1);
    expect(bench.log.size).toBe(1);
  });

  it('is repeated with the same random code, on whatever instance, and another command gets another', async () => {
    const bench = createCommandBench();
    const context = bench.context();
    bench.log.plan.push('fails-unwritten');
    await expect(bench.createLink(aNewLink({ unique: true }), context)).rejects.toThrow(LogUnavailable);
    await bench.anotherInstance().createLink(aNewLink({ unique: true }), context);
    await bench.createLink(aNewLink({ unique: true }), bench.context());
    const [first, repeated, other] = bench.codeSeeds;
    expect(bench.codeSeeds).toHaveLength(3);
    expect(repeated).toBe(first);
    expect(other).not.toBe(first);
  });

  it('does not hold up the next command of the same id', async () => {
    const bench = createCommandBench();
    const context = bench.context();
    bench.log.plan.push('fails-unwritten');
    const [first, second] = await Promise.allSettled([
      bench.createLink(aNewLink(), context),
      bench.createLink(aNewLink(), context),
    ]);
    expect(first.status).toBe('rejected');
    expect(second).toMatchObject({ status: 'fulfilled', value: { created: true } });
  });
});

describe('ten thousand commands under way', () => {
  it('are the bound: one more is told to come later, and the others are answered', async () => {
    const bench = createCommandBench();
    const release = bench.log.holdFolding();
    const underWay = Array.from({ length: 10_000 }, () => bench.createLink(aNewLink(), bench.context()));
    await expect(bench.createLink(aNewLink(), bench.context())).rejects.toThrow(LogUnavailable);
    release();
    const links = (await Promise.all(underWay)).map(expectCreated);
    expect(links.filter((result) => result.created)).toHaveLength(1);
    expect(expectCreated(await bench.createLink(aNewLink(), bench.context())).created).toBe(false);
  });
});

describe('with codes cut to 8 bits (S23)', () => {
  /** One byte decides: 256 own codes for all URLs together. */
  function createCollidingBench(): CommandBench {
    const { codeHmac } = createCommandBench();
    return createCommandBench((data) => codeHmac(data).subarray(0, 1));
  }

  it('creation walks the attempts and no code ever leads to a wrong target', async () => {
    const bench = createCollidingBench();
    const codeByUrl = new Map<string, string>();
    for (let page = 0; page < 400; page++) {
      const pageUrl = `https://example.com/${page}`;
      const { link } = await created(bench, { url: pageUrl });
      expect(link.url).toBe(pageUrl);
      codeByUrl.set(pageUrl, link.code);
    }
    expect(new Set(codeByUrl.values()).size).toBe(400);
    for (const [pageUrl, code] of codeByUrl) {
      expect(bench.table.find(code)?.url).toBe(pageUrl);
      if (bench.table.find(code)?.kind === 'own') {
        expect(await created(bench, { url: pageUrl })).toMatchObject({ created: false, link: { code } });
      }
    }
  });

  it('creations at once, deletions and aliases in between: still one code a target', async () => {
    const step = fc.record({
      pages: fc.array(fc.nat(60), { minLength: 1, maxLength: 12 }),
      deletes: fc.option(fc.nat(60)),
      alias: fc.option(fc.nat(255)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const bench = createCollidingBench();
        const targets = new Map<string, string>();
        for (const { pages, deletes, alias } of steps) {
          if (alias !== null) {
            const code = ownCode(() => Uint8Array.of(alias), '', 0);
            const result = await bench.createLink(
              aNewLink({ alias: code, url: 'https://alias.example/' }),
              bench.context(),
            );
            if (!isRefusal(result)) targets.set(code, 'https://alias.example/');
          }
          const links = await Promise.all(pages.map((page) => created(bench, { url: `https://example.com/${page}` })));
          links.forEach(({ link }, index) => {
            expect(link.url).toBe(`https://example.com/${pages[index]}`);
            expect(targets.get(link.code) ?? link.url).toBe(link.url);
            targets.set(link.code, link.url);
          });
          if (deletes !== null) {
            for (const code of ownCodes(bench.codeHmac, `https://example.com/${deletes}`)) {
              if (bench.table.find(code)?.url !== `https://example.com/${deletes}`) continue;
              await bench.deleteLink(code, bench.context());
              break;
            }
          }
        }
        for (const [code, target] of targets) expect(bench.table.find(code)?.url).toBe(target);
      }),
      { numRuns: 60 },
    );
  });
});

describe('many creations of one URL at once', () => {
  it('are one link', async () => {
    const bench = createCommandBench();
    const links = await Promise.all(Array.from({ length: 50 }, () => created(bench)));
    expect(new Set(links.map(({ link }) => link.code)).size).toBe(1);
    expect(links.filter((result) => result.created)).toHaveLength(1);
    expect(bench.table.size()).toBe(1);
  });
});
