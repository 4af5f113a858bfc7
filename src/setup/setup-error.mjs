/** Set-up cannot go on; the message is for the person at the terminal and names what to do. */
export class SetupError extends Error {
  /** @override */
  name = 'SetupError';
}
