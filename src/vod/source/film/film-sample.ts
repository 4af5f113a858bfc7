import { createHash } from 'node:crypto';
import { parseRemoteUrl } from '../../../remote/remote-url.ts';
import type { SourceFetcher } from '../../../upstream/pool/source-fetcher.ts';
import type { FilmPiece, FilmTrack } from './film-track.ts';

const SAMPLE_BYTES = 64 * 1024;
const TIMEOUT_MS = 10_000;

/**
 * A hash of the beginnings of the first and of the last segment, as they are sent: many films have equal paths and durations,
 * but not these.
 * @throws AppError `FORBIDDEN` or `UNAVAILABLE` if they cannot be fetched
 */
export async function sampleOf(fetcher: SourceFetcher, { segments }: FilmTrack, signal?: AbortSignal): Promise<string> {
  const ends = [...new Set([segments[0], segments.at(-1)])].filter((segment) => segment !== undefined);
  const hash = createHash('sha256');
  for (const bytes of await Promise.all(ends.map((segment) => beginningOf(fetcher, segment, signal))))
    hash.update(bytes);
  return hash.digest('hex');
}

async function beginningOf(
  fetcher: SourceFetcher,
  { href, byteRange }: FilmPiece,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const target = parseRemoteUrl(href);
  const { offset, length } = byteRange ?? { offset: 0, length: SAMPLE_BYTES };
  const size = Math.min(SAMPLE_BYTES, length);
  const headers = { range: `bytes=${offset}-${offset + size - 1}` };
  const response = await fetcher.open(target, { headers, timeoutMs: TIMEOUT_MS, signal });
  try {
    const pieces: Buffer[] = [];
    let left = size;
    // A server that sends the whole file instead tells films apart by its beginning.
    for await (const piece of response.pieces()) {
      pieces.push(piece.subarray(0, left));
      left -= piece.length;
      if (left <= 0) break;
    }
    return Buffer.concat(pieces);
  } catch (thrown) {
    throw fetcher.failed(target, thrown);
  } finally {
    response.close();
  }
}
