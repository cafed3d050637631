/** `npm run verify` as its users run it: a process of its own, whose JSON is parsed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface VerifyRun {
  readonly code: number | null;
  /** What it wrote to both outputs. */
  readonly output: string;
  /** Of `--json`; undefined when it gave none. */
  readonly result: VerifyResult | undefined;
}

export interface VerifyResult {
  readonly links: { readonly count: number; readonly events: number; readonly rejected: number };
  readonly visits: Readonly<
    Record<'records' | 'nonBots' | 'bots' | 'prefetches' | 'repeated' | 'gaps' | 'notCountable', number>
  >;
  readonly sampled: number;
  readonly notes: readonly string[];
  readonly views: readonly VerifiedView[];
  readonly drift: number;
}

export interface VerifiedView {
  readonly view: string;
  readonly place: string;
  readonly compared: number;
  readonly absent: number;
  readonly drift: number;
  readonly examples: readonly {
    readonly key: string;
    readonly what: string;
    readonly expected: unknown;
    readonly found: unknown;
  }[];
}

const script = fileURLToPath(new URL('../../scripts/verify.js', import.meta.url));

/** Runs it with these options, and with these settings alone. */
export async function runVerify(
  options: readonly string[],
  settings: Readonly<Record<string, string>> = {},
): Promise<VerifyRun> {
  const env = { PATH: process.env['PATH'], ...settings };
  const child = spawn(process.execPath, [script, ...options], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let written = '';
  let errors = '';
  child.stdout.on('data', (text: Buffer) => {
    written += text.toString();
  });
  child.stderr.on('data', (text: Buffer) => {
    errors += text.toString();
  });
  const [code] = await once(child, 'close');
  const result = options.includes('--json') && written !== '' ? (JSON.parse(written) as VerifyResult) : undefined;
  return { code, output: written + errors, result };
}

/** The views that differ from the log, by name, with what differs first. */
export function driftOf(run: VerifyRun): Record<string, string> {
  if (run.result === undefined) throw new Error(`verify gave no result: ${run.output}`);
  const drifting = run.result.views.filter(({ drift }) => drift > 0);
  return Object.fromEntries(drifting.map(({ view, examples: [first] }) => [view, `${first?.key}: ${first?.what}`]));
}
