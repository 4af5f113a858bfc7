import { AppError } from '../util/errors.ts';

/** They belong to the connection, or say where it leads and what is sent (RFC 9110, 7.6.1); or are set for each request. */
const OWN_HEADERS = new Set([
  ...['host', 'connection', 'keep-alive', 'proxy-connection', 'proxy-authenticate', 'proxy-authorization', 'te'],
  ...['trailer', 'transfer-encoding', 'upgrade', 'content-length', 'expect', 'accept-encoding'],
  ...['range', 'if-range', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since'],
]);
/** They go only where they were meant for. */
const CREDENTIALS = new Set(['authorization', 'cookie']);

/**
 * Headers that somebody wants to be sent along, their names in lower case.
 * @throws AppError `BAD_REQUEST` for one that cannot be chosen
 */
export function customHeaders(given: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const headers = Object.entries(given).map(([name, value]) => [name.toLowerCase(), value] as const);
  const wrong = headers.find(([name]) => OWN_HEADERS.has(name) || !/^[a-z0-9-]+$/.test(name));
  if (wrong !== undefined) {
    throw new AppError('BAD_REQUEST', `header ${JSON.stringify(wrong[0])} cannot be chosen; leave it out`);
  }
  const broken = headers.find(([, value]) => !/^[\t -~]*$/.test(value));
  if (broken !== undefined) {
    throw new AppError('BAD_REQUEST', `header "${broken[0]}" has a value that is not printable ASCII`);
  }
  return Object.freeze(Object.fromEntries(headers));
}

/** Headers as they may go to an origin that they were not meant for: without `authorization` and `cookie`. */
export function withoutCredentials(headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !CREDENTIALS.has(name.toLowerCase())));
}
