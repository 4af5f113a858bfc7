import { AppError, toError } from '../util/errors.ts';
import { parseContentRange } from './content-range.ts';
import type { RemoteClient } from './remote-client.ts';
import type { RemoteResponse } from './remote-response.ts';
import type { RemoteUrl } from './remote-url.ts';

const PROBE_TIMEOUT_MS = 15_000;
const START_BYTES = 1_024;

/** What a web server says of a file. Immutable. */
export interface RemoteFacts {
  readonly target: RemoteUrl;
  readonly sizeBytes: number;
  /** Entity tag as sent, weak ones included. */
  readonly etag: string | undefined;
  /** As sent. */
  readonly lastModified: string | undefined;
}

/** A part of a file; its pieces are exactly the bytes asked for, or end with an error. */
export interface RemotePart {
  pieces(): AsyncIterable<Buffer>;
  close(): void;
}

/** What a web server answers at first. */
export interface RemoteLook {
  /** The first 1024 bytes, or all if there are fewer; empty if it serves none. */
  readonly start: Buffer;
  /** What it says of the file. @throws AppError `BAD_MEDIA` if it serves no parts or the file is empty, else `UNAVAILABLE` */
  facts(): RemoteFacts;
}

/** Asks a web server for the beginning of something, its size and version. Errors as with `RemoteClient.open()`. */
export async function lookAtRemote(client: RemoteClient, target: RemoteUrl, signal?: AbortSignal): Promise<RemoteLook> {
  const headers = { range: `bytes=0-${START_BYTES - 1}` };
  const response = await client.open({ target, headers, timeoutMs: PROBE_TIMEOUT_MS, signal });
  try {
    const start = response.status === 200 || response.status === 206 ? await startOf(response) : Buffer.alloc(0);
    return { start, facts: () => factsOf(client, target, response) };
  } catch (thrown) {
    throw client.failure(target, toError(thrown).message);
  } finally {
    response.close();
  }
}

/** What a web server says of a file. Errors as with `lookAtRemote()` and what it answers. */
export async function inspectRemote(
  client: RemoteClient,
  target: RemoteUrl,
  signal?: AbortSignal,
): Promise<RemoteFacts> {
  return (await lookAtRemote(client, target, signal)).facts();
}

async function startOf(response: RemoteResponse): Promise<Buffer> {
  let start = Buffer.alloc(0);
  for await (const piece of response.pieces()) {
    start = Buffer.concat([start, piece]);
    if (start.length >= START_BYTES) break;
  }
  return start.subarray(0, START_BYTES);
}

function factsOf(client: RemoteClient, target: RemoteUrl, response: RemoteResponse): RemoteFacts {
  const { status } = response;
  const range = parseContentRange(response.header('content-range'));
  if (status === 416 && range?.sizeBytes === 0) throw empty(target);
  if (status === 200) {
    if (response.header('content-length') === '0') throw empty(target);
    throw new AppError('BAD_MEDIA', `"${target.label}" cannot be played: its server does not serve parts of files`);
  }
  if (status !== 206 || range?.start !== 0 || range.end >= START_BYTES) {
    throw client.failure(target, `status ${status}, content-range ${String(response.header('content-range'))}`);
  }
  checkEncoding(client, target, response);
  const { sizeBytes } = range;
  return Object.freeze({
    ...{ target, sizeBytes },
    ...{ etag: response.header('etag'), lastModified: response.header('last-modified') },
  });
}

/**
 * Asks for the bytes from `start` to `end`, both included.
 * @throws AppError `BAD_MEDIA` if the file is no longer what it was, else as `RemoteClient.open()`
 */
export async function openRange(
  client: RemoteClient,
  facts: RemoteFacts,
  {
    start,
    end,
    timeoutMs,
    signal,
  }: { start: number; end: number; timeoutMs?: number; signal?: AbortSignal | undefined },
): Promise<RemotePart> {
  const { target } = facts;
  const headers = { range: `bytes=${start}-${end}`, ...ifRange(facts) };
  const response = await client.open({ target, headers, signal, ...(timeoutMs !== undefined && { timeoutMs }) });
  try {
    checkSame(client, facts, response, { start, end });
    checkEncoding(client, target, response);
  } catch (thrown) {
    response.close();
    throw thrown;
  }
  return {
    pieces: () => exactly(response, end - start + 1),
    close: () => response.close(),
  };
}

/** A weak entity tag or a date cannot guard a range (RFC 9110, 13.1.5); their versions are compared in the answer. */
function ifRange({ etag }: RemoteFacts): { 'if-range'?: string } {
  return etag !== undefined && !etag.startsWith('W/') ? { 'if-range': etag } : {};
}

function checkSame(
  client: RemoteClient,
  facts: RemoteFacts,
  response: RemoteResponse,
  { start, end }: { start: number; end: number },
): void {
  const { target, sizeBytes } = facts;
  const { status } = response;
  const range = parseContentRange(response.header('content-range'));
  const isOther = (name: string, known: string | undefined): boolean =>
    known !== undefined && (response.header(name) ?? known) !== known;
  const hasChanged =
    // The whole instead of a part, or no such part.
    status === 200 ||
    status === 416 ||
    (status === 206 &&
      (range?.sizeBytes !== sizeBytes || isOther('etag', facts.etag) || isOther('last-modified', facts.lastModified)));
  if (hasChanged) {
    throw new AppError('BAD_MEDIA', `"${target.label}" has changed on its server meanwhile; play it anew`);
  }
  if (status !== 206 || range?.start !== start || range.end !== end) {
    throw client.failure(target, `status ${status}, content-range ${String(response.header('content-range'))}`);
  }
}

function checkEncoding(client: RemoteClient, target: RemoteUrl, response: RemoteResponse): void {
  const encoding = response.header('content-encoding');
  if (encoding !== undefined && encoding !== 'identity') {
    throw client.failure(target, `content-encoding "${encoding.slice(0, 40)}" was not asked for`);
  }
}

/** However long a body is, no more than was asked for is handed on; a shorter one is an error. */
async function* exactly(response: RemoteResponse, lengthBytes: number): AsyncGenerator<Buffer> {
  let left = lengthBytes;
  for await (const piece of response.pieces()) {
    const wanted = piece.subarray(0, left);
    left -= wanted.length;
    if (wanted.length > 0) yield wanted;
    if (left === 0) return;
  }
  throw new Error(`the answer ended ${left} bytes early`);
}

function empty(target: RemoteUrl): AppError {
  return new AppError('BAD_MEDIA', `"${target.label}" is empty`);
}
