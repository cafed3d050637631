/**
 * Live totals over one event stream for all tabs: the tab that holds a lock reads the stream and hands everything on.
 * Totals are absolute, so a lost or doubled message cannot skew a page. Without locks (plain http) a page has its own stream.
 */

export interface Totals {
  readonly code: string;
  readonly total: number;
  readonly nonBots: number;
  readonly bots: number;
  readonly lastVisitAt: string | number | null;
}

export type LiveState = 'live' | 'reconnecting' | 'offline' | 'paused';

export interface Live {
  /** Codes to hear about from now on; at most 100. */
  want(codes: readonly string[]): void;
  pause(): void;
  resume(): void;
}

type Message =
  | { readonly type: 'want'; readonly tab: string; readonly codes: readonly string[] }
  | { readonly type: 'gone'; readonly tab: string }
  | { readonly type: 'ask' }
  | { readonly type: 'totals'; readonly totals: Totals }
  | { readonly type: 'state'; readonly state: LiveState };

const channelName = 'tallyhop-live';
const codesMax = 100;
const pollCodesMax = 20;
const pollMs = 5000;
const reopenMs = 2000;
const hiccupMs = 250;
const failuresMax = 3;
const hiddenMs = 60_000;
/** Wishes of several tabs that arrive together open one stream. */
const gatherMs = 30;

export function openLive(onTotals: (totals: Totals) => void, onState: (state: LiveState) => void): Live {
  const tab = `${Date.now()}-${Math.random()}`;
  const channel = new BroadcastChannel(channelName);
  const wishes = new Map<string, readonly string[]>();
  const known = new Map<string, Totals>();
  let own: readonly string[] = [];
  let state: LiveState = 'reconnecting';
  let running = false;
  let paused = false;
  let leading = false;
  let release = () => {};
  let source: EventSource | null = null;
  let opened = '';
  let failures = 0;
  let gather = 0;
  let reopen = 0;
  let poll = 0;
  let hide = 0;

  const tell = (message: Message) => channel.postMessage(message);

  const show = (next: LiveState) => {
    state = next;
    onState(next);
  };

  const lead = (next: LiveState) => {
    show(next);
    tell({ type: 'state', state: next });
  };

  const spread = (totals: Totals) => {
    known.set(totals.code, totals);
    if (own.includes(totals.code)) onTotals(totals);
    tell({ type: 'totals', totals });
  };

  function openStream(): void {
    if (!leading) return;
    const codes = [...new Set([...own, ...[...wishes.values()].flat()])].slice(0, codesMax).sort();
    const address = `/api/stream?codes=${codes.join(',')}`;
    if (codes.length === 0 || (address === opened && source !== null && source.readyState !== EventSource.CLOSED))
      return;
    closeStream();
    opened = address;
    source = new EventSource(address);
    source.addEventListener('open', () => {
      failures = 0;
      clearInterval(poll);
      poll = 0;
      lead('live');
    });
    source.addEventListener('totals', (event) => spread(JSON.parse(event.data) as Totals));
    source.addEventListener('error', () => {
      failures++;
      lead(navigator.onLine ? 'reconnecting' : 'offline');
      if (failures === 1) {
        // Mostly a hiccup, which need not cost the browser's own two seconds; spread, since it may have hit many at once.
        closeStream();
        reopen = setTimeout(openStream, hiccupMs + Math.random() * hiccupMs);
        return;
      }
      // The browser tries again by itself unless it was answered with an error.
      if (source?.readyState === EventSource.CLOSED) reopen = setTimeout(openStream, reopenMs);
      if (failures >= failuresMax && poll === 0) poll = setInterval(() => void pollTotals(codes), pollMs);
    });
  }

  async function pollTotals(codes: readonly string[]): Promise<void> {
    for (const code of codes.slice(0, pollCodesMax)) {
      try {
        const response = await fetch(`/api/links/${code}`, { headers: { accept: 'application/json' } });
        if (!response.ok) continue;
        const { visits } = (await response.json()) as { visits: Omit<Totals, 'code'> | null };
        if (visits !== null) spread({ ...visits, code });
      } catch {
        return;
      }
    }
  }

  function closeStream(): void {
    clearTimeout(reopen);
    clearInterval(poll);
    poll = 0;
    source?.close();
    source = null;
    opened = '';
  }

  function gatherWishes(): void {
    clearTimeout(gather);
    gather = setTimeout(openStream, gatherMs);
  }

  function start(): void {
    if (running || paused || own.length === 0) return;
    running = true;
    tell({ type: 'want', tab, codes: own });
    if (!('locks' in navigator)) {
      leading = true;
      openStream();
      return;
    }
    const waiting = new AbortController();
    release = () => waiting.abort();
    navigator.locks
      .request(channelName, { signal: waiting.signal }, () => {
        leading = true;
        tell({ type: 'ask' });
        gatherWishes();
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      })
      // Given up before it was our turn.
      .catch(() => undefined);
  }

  function stop(): void {
    if (!running) return;
    running = false;
    leading = false;
    clearTimeout(gather);
    closeStream();
    release();
    wishes.clear();
    tell({ type: 'gone', tab });
  }

  channel.addEventListener('message', ({ data: message }: MessageEvent<Message>) => {
    if (!running) return;
    switch (message.type) {
      case 'want':
        wishes.set(message.tab, message.codes);
        if (!leading) return;
        gatherWishes();
        tell({ type: 'state', state });
        for (const code of message.codes) {
          const totals = known.get(code);
          if (totals !== undefined) tell({ type: 'totals', totals });
        }
        return;
      case 'gone':
        wishes.delete(message.tab);
        return;
      case 'ask':
        return tell({ type: 'want', tab, codes: own });
      case 'totals':
        if (own.includes(message.totals.code)) onTotals(message.totals);
        return;
      case 'state':
        return show(message.state);
    }
  });

  document.addEventListener('visibilitychange', () => {
    clearTimeout(hide);
    if (document.hidden) hide = setTimeout(stop, hiddenMs);
    else start();
  });
  addEventListener('pagehide', stop);
  addEventListener('pageshow', (event) => {
    if (event.persisted) start();
  });
  addEventListener('offline', () => running && show('offline'));
  addEventListener('online', () => {
    if (!running) return;
    show('reconnecting');
    closeStream();
    openStream();
    tell({ type: 'ask' });
  });

  return {
    want(codes) {
      own = codes.slice(0, codesMax);
      if (!running) return start();
      tell({ type: 'want', tab, codes: own });
      gatherWishes();
    },
    pause() {
      paused = true;
      stop();
      show('paused');
    },
    resume() {
      paused = false;
      show('reconnecting');
      start();
    },
  };
}
