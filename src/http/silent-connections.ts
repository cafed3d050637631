/**
 * Closes connections on which nothing moves. Node's own bounds for this (`server.timeout`, `keepAliveTimeout`) make and drop two timers
 * for every request, which is a thirtieth of a redirect; here all connections are looked at together, every few seconds.
 */
import type { Socket } from 'node:net';

export interface SilentConnections {
  /** Watches a connection until it is closed. */
  watch(socket: Socket): void;
  /**
   * Has Node's timer watch a connection from now on: it sees an answer move that is too long for one write, of which
   * {@link SilentConnections.watch} sees nothing. Idempotent.
   */
  watchAnswers(socket: Socket): void;
  /** Every connection that is open. */
  open(): Iterable<Socket>;
}

interface Watched {
  bytesRead: number;
  /** How many looks in a row have found nothing new. */
  silentLooks: number;
}

const looksPerSilence = 12;

/** @param silenceMs a connection is closed when so much time has passed since something moved, up to a twelfth of it later */
export function createSilentConnections(silenceMs: number): SilentConnections {
  const watched = new Map<Socket, Watched>();
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    for (const [socket, each] of watched) {
      const isSilent = socket.bytesRead === each.bytesRead && !socket.timeout;
      each.silentLooks = isSilent ? each.silentLooks + 1 : 0;
      each.bytesRead = socket.bytesRead;
      // The first look may come a moment after the last byte.
      if (each.silentLooks > looksPerSilence) socket.destroy();
    }
  }

  return {
    watch(socket) {
      if (watched.size === 0) timer = setInterval(look, silenceMs / looksPerSilence).unref();
      watched.set(socket, { bytesRead: 0, silentLooks: 0 });
      socket.once('close', () => {
        watched.delete(socket);
        if (watched.size === 0) clearInterval(timer);
      });
    },
    watchAnswers(socket) {
      if (!socket.timeout) socket.setTimeout(silenceMs);
    },
    open: () => watched.keys(),
  };
}
