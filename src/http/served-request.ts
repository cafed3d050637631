/**
 * A request as our server makes it: one whose body nobody asked for need not be read. Node reads the body of every request to its end
 * when the answer is written, by the whole machinery of streams, and that costs a redirect, which has none, a thirtieth of its time.
 */
import { IncomingMessage } from 'node:http';

export class ServedRequest extends IncomingMessage {
  /** Set by who answered without reading the body and has nobody wait for its end: `end` and `close` may not come. */
  leftUnread = false;

  /**
   * Node calls this after the answer, so that what is left of the body does not stand before the next request. A version of Node that
   * does it by another name reads on as ever. (Node 24.12 has the option `optimizeEmptyRequests`, which leaves out `end` and `close` of
   * every request without a body, also where somebody waits for them.)
   */
  _dump(): void {
    if (this.leftUnread && this.complete && this.readableLength === 0) return;
    dump.call(this);
  }
}

const { _dump: dump } = IncomingMessage.prototype as unknown as { readonly _dump: () => void };
