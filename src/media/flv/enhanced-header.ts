import { AppError } from '../../util/errors.ts';
import type { ByteCursor } from './byte-cursor.ts';

/** One track's share of an Enhanced RTMP message. */
export interface EnhancedPart {
  /** 0 for a message without a multitrack wrapper. */
  readonly trackId: number;
  readonly fourCc: string;
  /** The real packet type: never Multitrack or ModEx. */
  readonly packetType: number;
  readonly body: Buffer;
}

/** Tracks that one message may carry; OBS can make at most 10. */
export const MAX_TRACKS_PER_MESSAGE = 32;

const ONE_TRACK = 0;
const MANY_TRACKS = 1;
const MANY_TRACKS_MANY_CODECS = 2;

/**
 * Skips the ModEx prefixes (`packetType` 7 in both audio and video) and returns the packet type behind them.
 * Enhanced RTMP v2, "ExVideoTagHeader" and "ExAudioTagHeader".
 */
export function skipModEx(cursor: ByteCursor, packetType: number, modExType: number): number {
  let type = packetType;
  while (type === modExType) {
    const size = cursor.uint8() + 1;
    cursor.take(size === 256 ? cursor.uint16() + 1 : size);
    type = cursor.uint8() & 0x0f;
  }
  return type;
}

/**
 * Splits what follows the packet type into its tracks: one without a multitrack wrapper, else as many as there are.
 *
 * @throws AppError `BAD_MEDIA` if the sizes inside do not add up or the wrapper is of an unknown kind.
 */
export function splitTracks(cursor: ByteCursor, packetType: number, multitrackType: number): EnhancedPart[] {
  if (packetType !== multitrackType) {
    return [{ trackId: 0, fourCc: cursor.fourCc(), packetType, body: cursor.rest() }];
  }
  const types = cursor.uint8();
  const layout = types >> 4;
  const innerType = types & 0x0f;
  if (innerType === multitrackType) throw new AppError('BAD_MEDIA', 'a multitrack message may not hold another one');
  if (layout > MANY_TRACKS_MANY_CODECS) throw new AppError('BAD_MEDIA', `unknown multitrack type ${layout}`);
  const shared = layout === MANY_TRACKS_MANY_CODECS ? undefined : cursor.fourCc();
  const parts: EnhancedPart[] = [];
  do {
    if (parts.length >= MAX_TRACKS_PER_MESSAGE) {
      throw new AppError('BAD_MEDIA', `a message holds more than ${MAX_TRACKS_PER_MESSAGE} tracks`);
    }
    const fourCc = shared ?? cursor.fourCc();
    const trackId = cursor.uint8();
    const body = layout === ONE_TRACK ? cursor.rest() : cursor.take(cursor.uint24());
    parts.push({ trackId, fourCc, packetType: innerType, body });
  } while (layout >= MANY_TRACKS && cursor.remaining > 0);
  return parts;
}
