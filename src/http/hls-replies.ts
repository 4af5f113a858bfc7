import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { MediaFile, StoredFile } from '../hls/media-file.ts';
import type { RenderedPlaylist } from '../hls/rendered-playlist.ts';
import { AppError } from '../util/errors.ts';
import { type ByteRange, parseByteRange } from './byte-range.ts';
import { hasVersion, takesGzip } from './negotiation.ts';
import { type Query, readToken } from './playback-query.ts';
import { withToken } from './playlist-token.ts';
import { readStored } from './stored-media.ts';

const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';

/**
 * Answers with a playlist, compressed if the client takes that; 304 if the client has this very version. A `token` of the
 * query is handed on to the URIs in it.
 * @throws AppError `BAD_REQUEST` for a token that cannot be handed on.
 */
export function sendPlaylist(
  request: FastifyRequest,
  reply: FastifyReply,
  { playlist: shared, cache }: { playlist: RenderedPlaylist; cache: string },
): FastifyReply {
  const token = readToken(request.query as Query);
  const playlist = token === undefined ? shared : withToken(shared, token);
  void reply.headers({ 'cache-control': cache, etag: playlist.etag, vary: 'accept-encoding' });
  if (hasVersion(request, playlist.etag)) return reply.code(304).send();
  void reply.header('content-type', PLAYLIST_TYPE);
  if (!takesGzip(request)) return reply.send(playlist.plain);
  return reply.header('content-encoding', 'gzip').send(playlist.gzip);
}

/**
 * Answers with media or the part of it that the client asks for. The name is its version, since it is never used for
 * anything else.
 * @throws AppError `RANGE_NOT_SATISFIABLE` if the range begins behind the end; `NOT_FOUND` if it has gone from the disk.
 */
export async function sendMedia(
  request: FastifyRequest,
  reply: FastifyReply,
  { file, name, cache }: { file: MediaFile; name: string; cache: string },
): Promise<FastifyReply> {
  const etag = `"${name}"`;
  const size = 'bytes' in file ? file.bytes.length : file.size;
  void reply.headers({ 'cache-control': cache, etag, 'accept-ranges': 'bytes' });
  if (hasVersion(request, etag)) return reply.code(304).send();
  const isCurrent = (request.headers['if-range'] ?? etag) === etag;
  const range = isCurrent ? parseByteRange(request.headers.range, size) : undefined;
  if (range === 'unsatisfiable') {
    void reply.header('content-range', `bytes */${size}`);
    throw new AppError('RANGE_NOT_SATISFIABLE', `the file has ${size} bytes; ask for a range within them`);
  }
  const { first, last } = range ?? { first: 0, last: size - 1 };
  const stream = 'bytes' in file ? undefined : await openFor(request, file, { first, last });
  void reply.headers({ 'content-type': file.contentType, 'content-length': last + 1 - first });
  if (range !== undefined) void reply.code(206).header('content-range', `bytes ${first}-${last}/${size}`);
  if ('bytes' in file) return reply.send(range === undefined ? file.bytes : file.bytes.subarray(first, last + 1));
  return reply.send(stream);
}

/** HEAD is answered with the length that GET would have; the framework takes only a stream's word for that. */
function openFor({ method }: FastifyRequest, file: StoredFile, range: ByteRange): Promise<Readable> | Readable {
  return method === 'HEAD' ? Readable.from([]) : readStored(file, range);
}
