import { open } from 'node:fs/promises';
import type { StoredBytes } from '../cache/track-store.ts';
import type { TrackKind } from '../media/fragment.ts';
import { type HlsOptions, targetDurationSeconds } from './hls-options.ts';
import { type LadderRendition, listLadder, smallestVideo } from './ladder-listing.ts';
import { renderMultivariantPlaylist } from './multivariant-playlist.ts';
import type { PackagedTrack } from './packaged-track.ts';
import { PlaylistMemo, RenderedPlaylist } from './rendered-playlist.ts';
import { renderRowPlaylist } from './row-playlist.ts';
import { clipQuery } from './vod-playback.ts';
import { alignedRows, commonRows, type DateSpan, rowOf, rowsWithin, type VodRow } from './vod-row.ts';

/** A keyframe of the past. */
export interface KeyframeRef {
  /** Media sequence number of the segment that it opens. */
  readonly msn: number;
  /** Wall clock of the picture, ms since the Unix epoch. */
  readonly programDateTimeMs: number;
  /** Until the next one. */
  readonly durationMs: number;
  /** What a decoder needs before it. */
  readonly init: Buffer;
  /** Its `moof` + `mdat`; `undefined` once it has gone. */
  read(): Promise<Buffer | undefined>;
}

interface TimeShiftOptions {
  readonly options: HlsOptions;
  /** Renditions that are offered to players now. */
  readonly playable: () => readonly ShiftedRendition[];
}

interface ShiftedRendition extends LadderRendition {
  track(kind: TrackKind): PackagedTrack | undefined;
}

/** What a live broadcast offers of its past besides the media playlists: clips, I-frame playlists and keyframes. */
export class TimeShift {
  readonly #context: TimeShiftOptions;
  readonly #targetDurationSeconds: number;
  readonly #iframes = new WeakMap<PackagedTrack, Record<'dvr' | 'live', PlaylistMemo>>();

  constructor(context: TimeShiftOptions) {
    this.#context = context;
    this.#targetDurationSeconds = targetDurationSeconds(context.options.segmentTargetMs);
  }

  /**
   * The multivariant playlist of a clip.
   * @throws AppError as `rowsWithin` does
   */
  clipMultivariant(span: DateSpan): RenderedPlaylist {
    const playable = this.#context.playable();
    rowsWithin(tableOf(playable), span);
    const listing = listLadder(playable, this.#context.options.sharedAudioRendition);
    return new RenderedPlaylist(renderMultivariantPlaylist(listing, clipQuery(span)));
  }

  /**
   * A media playlist of a clip, or its I-frame playlist: `VOD`, with the same segments in all renditions; `undefined` if
   * there is no such track.
   * @throws AppError as `rowsWithin` does
   */
  clip(rendition: string, kind: TrackKind | 'iframes', span: DateSpan): RenderedPlaylist | undefined {
    const playable = this.#context.playable();
    const track = this.#track(rendition, kind === 'audio' ? 'audio' : 'video');
    if (track === undefined) return undefined;
    const rows = alignedRows(rowsWithin(tableOf(playable), span), track.listed.map(rowOf));
    return new RenderedPlaylist(this.#render(rows, kind === 'iframes', 'VOD'));
  }

  /** The I-frame playlist that goes with a rendition's video; `undefined` if there is no such one. */
  iframes(rendition: string, window: 'dvr' | 'live', ended: boolean): RenderedPlaylist | undefined {
    const track = this.#track(rendition, 'video');
    if (track === undefined) return undefined;
    const memos = this.#iframes.get(track) ?? { dvr: new PlaylistMemo(), live: new PlaylistMemo() };
    this.#iframes.set(track, memos);
    return memos[window].get(`${track.version} ${ended}`, () => {
      const rows = window === 'live' ? track.live : track.listed;
      return this.#render(rows.map(rowOf), true, ended ? 'ended' : 'live');
    });
  }

  /** Keyframes of the smallest picture that is offered, oldest first. */
  keyframes(): KeyframeRef[] {
    const track = smallestVideo(this.#context.playable())?.track('video');
    if (track === undefined) return [];
    return track.listed.flatMap((segment) => {
      const init = track.initOf(segment);
      if (segment.keyframeBytes === 0 || init === undefined) return [];
      const { slot, programDateTimeMs, durationMs, keyframeBytes } = segment;
      return {
        ...{ msn: slot.msn, programDateTimeMs, durationMs, init: init.bytes },
        read: () => readStart(track.mediaOf(segment), keyframeBytes),
      };
    });
  }

  #track(rendition: string, kind: TrackKind): PackagedTrack | undefined {
    return this.#context
      .playable()
      .find(({ name }) => name === rendition)
      ?.track(kind);
  }

  #render(rows: readonly VodRow[], iframesOnly: boolean, type: 'VOD' | 'live' | 'ended'): string {
    return renderRowPlaylist({ targetDurationSeconds: this.#targetDurationSeconds, rows, iframesOnly, type });
  }
}

/** Segments of all renditions, those of the pictures first: audio is cut at whole frames. */
function tableOf(playable: readonly ShiftedRendition[]): VodRow[] {
  const rowsOf = (kind: TrackKind): VodRow[][] =>
    playable.map((rendition) => rendition.track(kind)?.listed.map(rowOf) ?? []);
  return commonRows([...rowsOf('video'), ...rowsOf('audio')]);
}

/** The first bytes of a file; `undefined` if it has gone. */
async function readStart(stored: StoredBytes | undefined, length: number): Promise<Buffer | undefined> {
  if (stored === undefined) return undefined;
  if ('bytes' in stored) return stored.bytes.subarray(0, length);
  try {
    const handle = await open(stored.path);
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
      return bytesRead === length ? buffer : undefined;
    } finally {
      await handle.close();
    }
  } catch {
    return undefined;
  }
}
