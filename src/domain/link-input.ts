/** What a person asks for, narrowed from untyped input. */
import type { LinkSettings } from './link.ts';

/** A parsed creation: every value is checked, `url` is `new URL(input).href`. */
export interface NewLink extends LinkSettings {
  readonly alias: string | null;
  readonly unique: boolean;
}

/** A parsed JSON Merge Patch (RFC 7396): absent members stay, null clears. */
export interface LinkPatch extends Partial<LinkSettings> {
  readonly status?: 'active' | 'disabled';
}
