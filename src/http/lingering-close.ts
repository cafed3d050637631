/**
 * The end of a connection whose client may still be sending. Were it closed at once, the kernel would answer what comes then
 * with a reset, at which the client loses also the answer that it has not read yet (RFC 9112 §9.6).
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/** So long a client may go on sending after its answer. */
const lingerMaxMs = 2_000;

/** Ends our side once all is written; takes what comes and throws it away until the client ends, or {@link lingerMaxMs} have passed. */
export function closeLingering(socket: Socket): void {
  if (socket.destroyed) return;
  const cut = setTimeout(() => socket.destroy(), lingerMaxMs);
  cut.unref();
  socket.once('close', () => clearTimeout(cut));
  socket.once('end', () => socket.destroySoon());
  socket.end();
  socket.resume();
}

/** Has a connection that ends with this answer end lingering if its request is not all there when the answer is written. */
export function lingerWhenAnsweredEarly(request: IncomingMessage, response: ServerResponse): void {
  // Node's own listener, which closes the connection, stands in this list already: before it.
  response.prependOnceListener('finish', () => {
    if (request.complete) return;
    const { socket } = request;
    socket.destroySoon = () => {
      Reflect.deleteProperty(socket, 'destroySoon');
      // Whoever read the body may have stopped in the middle.
      request.resume();
      closeLingering(socket);
    };
  });
}
