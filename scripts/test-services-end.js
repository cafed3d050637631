/** Jest's global tear-down: ends what test-services.js has started. */
export default () => globalThis.endTestServices();
