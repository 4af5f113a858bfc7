import type { RemoteUrl } from '../../remote/remote-url.ts';
import { AppError } from '../../util/errors.ts';
import { isPlaylist } from '../playlist/playlist-text.ts';
import type { SourceFetcher } from '../pool/source-fetcher.ts';

const TS_PACKET_BYTES = 188;
const SYNC_BYTE = 0x47;
const ENOUGH_BYTES = 4 * TS_PACKET_BYTES;
const TIMEOUT_MS = 10_000;

/** What an address answers with. */
export type StreamKind = 'hls' | 'mpegts';

/**
 * Looks at the first bytes of what an address answers with, no more.
 * @throws AppError `BAD_MEDIA` if it is something else, UpstreamFailure if it cannot be fetched
 */
export async function lookAt(fetcher: SourceFetcher, target: RemoteUrl, signal: AbortSignal): Promise<StreamKind> {
  const response = await fetcher.open(target, { timeoutMs: TIMEOUT_MS, signal });
  try {
    return streamKind(await firstBytes(response.pieces()), target.label);
  } catch (thrown) {
    throw thrown instanceof AppError ? thrown : fetcher.failed(target, thrown);
  } finally {
    response.close();
  }
}

/**
 * Tells a playlist from an MPEG transport stream (ISO/IEC 13818-1), which may begin within a packet.
 * @throws AppError `BAD_MEDIA` if it is something else
 */
export function streamKind(bytes: Buffer, label: string): StreamKind {
  const text = bytes.toString('latin1');
  if (isPlaylist(text.replace(/^\u00ef\u00bb\u00bf/, ''))) return 'hls';
  for (let at = 0; at < TS_PACKET_BYTES && at + TS_PACKET_BYTES < bytes.length; at++) {
    if (isSynchronous(bytes, at)) return 'mpegts';
  }
  throw new AppError('BAD_MEDIA', `"${label}" answers with ${named(text)}; an HLS playlist or MPEG-TS is needed`);
}

function isSynchronous(bytes: Buffer, from: number): boolean {
  for (let at = from; at < bytes.length; at += TS_PACKET_BYTES) if (bytes[at] !== SYNC_BYTE) return false;
  return true;
}

function named(text: string): string {
  if (text === '') return 'nothing';
  if (/^\s*<(?:!doctype\s+)?html/i.test(text)) return 'a web page';
  if (text.includes('<MPD')) return 'a DASH manifest';
  if (text.slice(4, 8) === 'ftyp') return 'an MP4 file';
  return 'something else';
}

async function firstBytes(pieces: AsyncIterable<Buffer>): Promise<Buffer> {
  const gathered: Buffer[] = [];
  let length = 0;
  for await (const piece of pieces) {
    gathered.push(piece);
    length += piece.length;
    if (length >= ENOUGH_BYTES) break;
  }
  return Buffer.concat(gathered).subarray(0, ENOUGH_BYTES);
}
