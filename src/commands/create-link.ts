/**
 * Creates a link, or finds the one that is meant: the same URL without wishes of its own gets the same link again.
 * Chooses the code here; whether it was still free is what the fold says.
 */
import { decideCreate, type Link, type LinkFact, type LinkKind, statusOf } from '../domain/link.ts';
import type { NewLink } from '../domain/link-input.ts';
import { isRefusal, type Refusal } from '../domain/refusal.ts';
import { codeLength, isReserved, ownCodes } from '../domain/short-code.ts';
import type { CommandContext } from './command-context.ts';
import type { LinkCommandDependencies, LinkEventSubmission } from './link-event-submission.ts';

export type CreateLink = (input: NewLink, context: CommandContext) => Promise<CreatedLink | Refusal>;

export interface CreatedLink {
  readonly link: Link;
  /** False when the URL had its own link (or this alias) already. */
  readonly created: boolean;
}

/** Codes that others took while this command was on its way, before it gives up. */
const attemptsMax = 100;

/** Random codes that are tried before the generator must be broken: they are 62⁷, so two taken ones in a row are rare. */
const randomCodesMax = 100;

type Place = { readonly existing: Link } | { readonly code: string; readonly fact: LinkFact };

export function createCreateLink(
  deps: Pick<LinkCommandDependencies, 'linkTable' | 'clock' | 'random' | 'codeHmac' | 'isExhausted'>,
  submission: LinkEventSubmission,
): CreateLink {
  const { linkTable, clock, random, codeHmac, isExhausted } = deps;

  return (input, context) =>
    submission.inTurn(context.commandId, async () => {
      let lastCode = '';
      for (let attempt = 1; attempt <= attemptsMax; attempt++) {
        let outcome = submission.outcomeOf(context, attempt);
        if (outcome === undefined) {
          const place = await placeFor(input, `${context.commandId}\0${attempt}`);
          if (isRefusal(place)) return place;
          if ('existing' in place) return { link: place.existing, created: false };
          outcome = await submission.submit(place.code, place.fact, 0, context, attempt);
        }
        if (outcome.version !== null) return { link: submission.linkOf(outcome), created: true };
        lastCode = outcome.code;
      }
      return { refusal: 'lost-race', code: lastCode };
    });

  async function placeFor(input: NewLink, tryId: string): Promise<Place | Refusal> {
    if (input.alias !== null) {
      const link = linkTable.find(input.alias);
      if (link !== undefined && link.url === input.url && (await isActive(link))) return { existing: link };
      return placeAt(link, input.alias, 'alias', input);
    }
    if (!input.unique && !hasOptions(input)) {
      for (const code of ownCodes(codeHmac, input.url)) {
        const link = linkTable.find(code);
        if (link === undefined) return placeAt(link, code, 'own', input);
        // Taken by another URL or an alias, or no longer usable: a code is never given to another link.
        if (link.kind === 'own' && link.url === input.url && (await isActive(link))) return { existing: link };
      }
    }
    return placeAt(undefined, freeRandomCode(tryId), 'random', input);
  }

  function placeAt(existing: Link | undefined, code: string, kind: LinkKind, input: NewLink): Place | Refusal {
    const decision = decideCreate(existing, code, kind, input);
    return isRefusal(decision) ? decision : { code, fact: decision };
  }

  async function isActive(link: Link): Promise<boolean> {
    if (statusOf(link, clock.nowMs(), 0) !== 'active') return false;
    return link.maxVisits === null || !(await isExhausted(link));
  }

  /**
   * The same for the same try of a command: when it is not known whether its event was written, another instance too repeats
   * it with the same code, and the fold drops the second.
   */
  function freeRandomCode(tryId: string): string {
    for (let tried = 0; tried < randomCodesMax; tried++) {
      let blocks = 0;
      const bytes = (count: number) => codeHmac(`random code\0${tryId}\0${tried}\0${blocks++}`).subarray(0, count);
      const code = random.code(codeLength, bytes);
      if (!isReserved(code) && linkTable.find(code) === undefined) return code;
    }
    throw new Error(`${randomCodesMax} random codes in a row were taken`);
  }
}

function hasOptions(input: NewLink): boolean {
  return input.expiresAt !== null || input.maxVisits !== null || input.tags.length > 0 || input.note !== null;
}
