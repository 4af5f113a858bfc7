import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RelayMedia } from '../relay/relay-media.ts';
import type { RelayPlaylist } from '../relay/relay-track.ts';
import type { Clock } from '../util/clock.ts';
import { AppError } from '../util/errors.ts';
import { parseByteRange } from './byte-range.ts';
import { cachePolicy } from './cache-policy.ts';
import { sendPlaylist } from './hls-replies.ts';
import { hasVersion } from './negotiation.ts';
import { watchedPieces } from './watched-pieces.ts';

/** What is known of a request for relayed media. */
interface MediaContext {
  /** Released when the answer ends. */
  readonly media: RelayMedia;
  /** Aborts when the client goes. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/**
 * Answers with a media playlist.
 * @param isBlocking whether the client said what it waits for
 */
export function sendRelayPlaylist(
  request: FastifyRequest,
  reply: FastifyReply,
  { answer, isBlocking }: { answer: RelayPlaylist; isBlocking: boolean },
): FastifyReply {
  const { playlist, ended, targetDurationMs, listedMs } = answer;
  const policy = cachePolicy({ targetDurationSeconds: targetDurationMs / 1_000, windowMs: listedMs });
  const cache = ended ? policy.ended : isBlocking ? policy.blocking : policy.live;
  return sendPlaylist(request, reply, { playlist, cache });
}

/**
 * Answers with media as it comes, or with the part of it that the client asks for. What fails after the first byte ends the
 * connection, so that nobody takes it for whole.
 * @throws AppError `RANGE_NOT_SATISFIABLE` if the range begins behind the end; what `RelayMedia` throws before its first byte
 */
export async function sendRelayMedia(
  request: FastifyRequest,
  reply: FastifyReply,
  context: MediaContext,
): Promise<FastifyReply> {
  const { media } = context;
  let body: Readable | undefined;
  try {
    body = await openBody(request, reply, context);
  } finally {
    if (body === undefined) media.release();
  }
  if (body === undefined) return reply.send();
  body.once('close', () => media.release());
  return reply.send(body);
}

/** Sets status and headers; `undefined` if no body is to follow. */
async function openBody(
  request: FastifyRequest,
  reply: FastifyReply,
  { media, signal, clock }: MediaContext,
): Promise<Readable | undefined> {
  const etag = `"${media.name}"`;
  void reply.header('cache-control', cacheOf(media)).header('accept-ranges', 'bytes');
  if (!media.isKey) void reply.header('etag', etag);
  if (!media.isKey && hasVersion(request, etag)) {
    void reply.code(304);
    return undefined;
  }
  await media.ready(signal);
  const isCurrent = (request.headers['if-range'] ?? etag) === etag;
  const wanted = isCurrent ? request.headers.range : undefined;
  const isHead = request.method === 'HEAD';
  const size = media.size ?? (isHead || wanted !== undefined ? await media.fullSize(signal) : undefined);
  const range = size === undefined ? undefined : parseByteRange(wanted, size);
  if (range === 'unsatisfiable') {
    void reply.header('content-range', `bytes */${size}`);
    throw new AppError('RANGE_NOT_SATISFIABLE', `the file has ${size} bytes; ask for a range within them`);
  }
  void reply.header('content-type', media.contentType);
  if (range !== undefined) {
    void reply.code(206).header('content-range', `bytes ${range.first}-${range.last}/${size}`);
  }
  const { first, last } = range ?? { first: 0, last: (size ?? Infinity) - 1 };
  if (size !== undefined) void reply.header('content-length', last + 1 - first);
  // HEAD is answered with the length that GET would have; the framework takes only a stream's word for that.
  if (isHead) return Readable.from([]);
  const onStalled = (): void => void reply.raw.destroy();
  return Readable.from(watchedPieces(slice(media.pieces(signal), first, last), { clock, onStalled }));
}

function cacheOf({ isKey, listedMs }: RelayMedia): string {
  return isKey ? 'no-store' : cachePolicy({ targetDurationSeconds: 0, windowMs: listedMs }).liveMedia;
}

/** The bytes from `first` to `last`, both inclusive. */
async function* slice(pieces: AsyncIterable<Buffer>, first: number, last: number): AsyncGenerator<Buffer> {
  let offset = 0;
  for await (const piece of pieces) {
    const part = piece.subarray(Math.max(0, first - offset), last + 1 - offset);
    offset += piece.length;
    if (part.length > 0) yield part;
    if (offset > last) return;
  }
}
