import type { TrackKind } from '../media/fragment.ts';
import { AppError } from '../util/errors.ts';

/** Names a broadcast in a playback path. */
export interface BroadcastParams {
  readonly app: string;
  readonly name: string;
}

/** Names a playlist or media file of a rendition. */
export interface FileParams extends BroadcastParams {
  readonly rendition: string;
  readonly file: string;
}

/** `app/name`. */
export function broadcastOf({ app, name }: BroadcastParams): string {
  return `${app}/${name}`;
}

/**
 * The track that a playlist or media file is of.
 * @throws AppError `NOT_FOUND` for a name that no playlist or media has.
 */
export function kindOf(file: string): TrackKind {
  const kind = /^(video|audio)(?:\.m3u8$|-)/.exec(file)?.[1];
  if (kind === 'video' || kind === 'audio') return kind;
  throw new AppError('NOT_FOUND', `there is no file ${JSON.stringify(file.slice(0, 100))}; see index.m3u8`);
}
