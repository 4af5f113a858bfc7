import type { FastifyReply, FastifyRequest } from 'fastify';
import type { RenderedPlaylist } from '../hls/rendered-playlist.ts';
import type { MemoryFile } from '../hls/media-file.ts';
import { AppError } from '../util/errors.ts';
import { parseByteRange } from './byte-range.ts';

const PLAYLIST_TYPE = 'application/vnd.apple.mpegurl';

/** How long a shared cache may give out a playlist: a new segment is at least this much away from the last. */
const PLAYLIST_CACHE = 'max-age=1';

/** Answers with a playlist, compressed if the client takes that; 304 if the client has this very version. */
export function sendPlaylist(request: FastifyRequest, reply: FastifyReply, playlist: RenderedPlaylist): FastifyReply {
  void reply.headers({ 'cache-control': PLAYLIST_CACHE, etag: playlist.etag, vary: 'accept-encoding' });
  if (hasVersion(request, playlist.etag)) return reply.code(304).send();
  void reply.type(PLAYLIST_TYPE);
  if (!takesGzip(request.headers['accept-encoding'])) return reply.send(playlist.plain);
  return reply.header('content-encoding', 'gzip').send(playlist.gzip);
}

/**
 * Answers with media or the part of it that the client asks for. The name is never used for anything else, so the
 * answer may be kept for as long as the file can be in a playlist.
 * @throws AppError `RANGE_NOT_SATISFIABLE` if the range begins behind the end.
 */
export function sendMedia(
  request: FastifyRequest,
  reply: FastifyReply,
  { file, name, maxAgeSeconds }: { file: MemoryFile; name: string; maxAgeSeconds: number },
): FastifyReply {
  const etag = `"${name}"`;
  const size = file.bytes.length;
  const cacheControl = `max-age=${maxAgeSeconds}, immutable`;
  void reply.headers({ 'cache-control': cacheControl, etag, 'accept-ranges': 'bytes' });
  if (hasVersion(request, etag)) return reply.code(304).send();
  const isCurrent = (request.headers['if-range'] ?? etag) === etag;
  const range = isCurrent ? parseByteRange(request.headers.range, size) : undefined;
  if (range === 'unsatisfiable') {
    void reply.header('content-range', `bytes */${size}`);
    throw new AppError('RANGE_NOT_SATISFIABLE', `the file has ${size} bytes; ask for a range within them`);
  }
  void reply.type(file.contentType);
  if (range === undefined) return reply.send(file.bytes);
  const { first, last } = range;
  return reply
    .code(206)
    .header('content-range', `bytes ${first}-${last}/${size}`)
    .send(file.bytes.subarray(first, last + 1));
}

/** RFC 9110, 13.1.2: weak comparison. */
function hasVersion({ headers }: FastifyRequest, etag: string): boolean {
  const given = headers['if-none-match'];
  if (given === undefined) return false;
  const tags = given.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag.replace(/^W\//, ''));
}

function takesGzip(header: string | string[] | undefined): boolean {
  const codings = String(header ?? '')
    .toLowerCase()
    .split(',');
  return codings.some((coding) => /^\s*(gzip|\*)\s*(;\s*q=(1|0?\.\d*[1-9]\d*|1\.0*))?\s*$/.test(coding));
}
