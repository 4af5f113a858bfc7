import { createHash } from 'node:crypto';
import type { MediaFile } from '../../hls/media-file.ts';
import { renderMultivariantPlaylist } from '../../hls/multivariant-playlist.ts';
import { RenderedPlaylist } from '../../hls/rendered-playlist.ts';
import { AppError } from '../../util/errors.ts';
import type { RenditionHandle } from '../play/rendition-handle.ts';
import { segmentCount, type Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import { parseMediaName } from './media-name.ts';
import type { RenditionProgressView } from './session-view.ts';
import { listTitle, subtitleTrack } from './title-listing.ts';
import { lengthsBetween, renderTitlePlaylist, titleTargetDuration } from './title-playlist.ts';
import { burnOf, type TrackChoice } from './track-choice.ts';
import type { VodDeps } from './vod-deps.ts';

/** Which media is asked for. */
export interface MediaRequest {
  readonly rendition: string;
  /** `init.mp4`, `seg-N.m4s` or `seg-N.vtt`. */
  readonly file: string;
  /** What the playlist that named it gave as `v`, if anything: media of another version is not mixed with it. */
  readonly version: string | undefined;
}

/** Media that was asked for, and where in the title it is shown. */
export interface FoundMedia {
  readonly file: MediaFile;
  /** Given for segments of what the viewer sees, or hears where there is nothing to see. */
  readonly positionMs: number | undefined;
}

const SUBTITLE_TYPE = 'text/vtt; charset=utf-8';

const TICKS_PER_MS = 90;

/** Playlists that all sessions of a title share, by what they name. */
const playlistsOf = new WeakMap<Title, Map<string, RenderedPlaylist>>();

/** Of one title: each edit of the ladder gives further ones. */
const MAX_PLAYLISTS = 200;

/** A title as one session plays it: its playlists, and handles of the renditions that were asked for. */
export class TitlePlayback {
  readonly title: Title;
  readonly renditions: readonly VodRendition[];
  /** Differs from that of another playback if a player must not go on with this one's URLs. */
  readonly version: string;
  readonly #deps: VodDeps;
  readonly #choice: TrackChoice;
  readonly #handles = new Map<string, RenditionHandle>();
  readonly #versions: ReadonlyMap<string, string>;
  readonly #multivariant: RenderedPlaylist;
  #released = false;

  constructor({ title, choice, deps }: { title: Title; choice: TrackChoice; deps: VodDeps }) {
    this.title = title;
    this.#deps = deps;
    this.#choice = choice;
    this.renditions = deps.plan({ title, audio: choice.audio, burn: burnOf(choice) });
    const { boundaries } = title.plan;
    this.#versions = new Map(
      this.renditions.map((rendition) => [
        rendition.name,
        shortHash([boundaries, rendition, deps.fingerprint(title, rendition)]),
      ]),
    );
    this.#multivariant = new RenderedPlaylist(
      renderMultivariantPlaylist(listTitle({ title, renditions: this.renditions, subtitles: choice.subtitles })),
    );
    this.version = shortHash([this.#multivariant.etag, [...this.#versions], boundaries]);
  }

  get durationMs(): number {
    return Math.round(this.title.durationTicks / TICKS_PER_MS);
  }

  /** Why text subtitles cannot be shown, by the index of their track. */
  get subtitleFailures(): ReadonlyMap<number, string> {
    const failed = this.#deps.subtitles.report(this.title).filter(({ state }) => state === 'failed');
    return new Map(failed.map(({ track, reason = 'no reason is known' }) => [track, reason]));
  }

  multivariant(): RenderedPlaylist {
    return this.#multivariant;
  }

  /**
   * The media playlist of a rendition or of subtitles.
   * @throws AppError `NOT_FOUND` if there is none of this name
   */
  mediaPlaylist(name: string): RenderedPlaylist {
    const { title } = this;
    const { boundaries } = title.plan;
    const targetDurationSeconds = titleTargetDuration(boundaries);
    const rendition = this.#find(name);
    if (rendition === undefined) {
      this.#subtitleTrack(name);
      this.#deps.subtitles.ensure(title);
      return this.#shared('subtitles', () =>
        renderTitlePlaylist({
          segmentTicks: lengthsBetween(boundaries),
          targetDurationSeconds,
          segmentUri: (index) => `seg-${index}.vtt`,
        }),
      );
    }
    const version = this.#versions.get(name) ?? '';
    return this.#shared(version, () =>
      renderTitlePlaylist({
        segmentTicks: this.#deps.segmentTicks(title, rendition),
        targetDurationSeconds,
        initUri: `init.mp4?v=${version}`,
        segmentUri: (index) => `seg-${index}.m4s?v=${version}`,
      }),
    );
  }

  /**
   * An init or a segment, once it is there.
   * @throws AppError `NOT_FOUND` if there is no such file, `GONE` if it is of another version; as `RenditionHandle.segment`
   */
  async media(
    { rendition: name, file, version }: MediaRequest,
    startMs: number,
    signal: AbortSignal,
  ): Promise<FoundMedia> {
    const media = parseMediaName(file);
    const rendition = this.#find(name);
    if (rendition === undefined) {
      const track = this.#subtitleTrack(name);
      if (media.kind !== 'subtitles') throw noFile(file);
      this.#checkIndex(media.index);
      const bytes = await this.#deps.subtitles.segment(this.title, track, media.index, signal);
      return { file: { contentType: SUBTITLE_TYPE, bytes }, positionMs: undefined };
    }
    if (media.kind === 'subtitles') throw noFile(file);
    if (version !== undefined && version !== this.#versions.get(name)) {
      throw new AppError('GONE', `rendition ${JSON.stringify(name)} has changed; load its playlist again`);
    }
    if (media.kind === 'segment') this.#checkIndex(media.index);
    const handle = this.#handle(rendition, startMs);
    if (media.kind === 'init') return { file: await handle.init(signal), positionMs: undefined };
    const isWatched = rendition.kind === 'video' || this.title.video === undefined;
    return {
      file: await handle.segment(media.index, signal),
      positionMs: isWatched ? this.#positionMs(media.index) : undefined,
    };
  }

  /** Encodes all renditions; ends when all have come to an end. @throws the first failure */
  async fill(signal: AbortSignal): Promise<void> {
    const outcomes = await Promise.allSettled(
      this.renditions.map((rendition) => this.#handle(rendition, 0).fill(signal)),
    );
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure !== undefined) throw failure.reason;
  }

  /** How far the renditions that were asked for are. */
  progress(): RenditionProgressView[] {
    return this.renditions.flatMap(({ name, kind }) => {
      const handle = this.#handles.get(name);
      return handle === undefined ? [] : [progressOf(name, kind, handle)];
    });
  }

  /** Ends the use of all renditions; idempotent. */
  release(): void {
    this.#released = true;
    for (const handle of this.#handles.values()) handle.release();
    this.#handles.clear();
  }

  #find(name: string): VodRendition | undefined {
    return this.renditions.find((rendition) => rendition.name === name);
  }

  #subtitleTrack(name: string): number {
    const track = this.#choice.subtitles === 'off' ? undefined : subtitleTrack(name);
    if (track !== undefined && this.title.subtitles[track]?.kind === 'text') return track;
    throw new AppError('NOT_FOUND', `there is no rendition ${JSON.stringify(name.slice(0, 100))}; see index.m3u8`);
  }

  #checkIndex(index: number): void {
    const count = segmentCount(this.title);
    if (index < count) return;
    throw new AppError('NOT_FOUND', `there is no segment ${index}; the last one is ${count - 1}`);
  }

  #handle(rendition: VodRendition, startMs: number): RenditionHandle {
    const known = this.#handles.get(rendition.name);
    if (known !== undefined) return known;
    if (this.#released) throw new AppError('GONE', 'the session has ended; start a new one');
    const handle = this.#deps.pool.open(this.title, rendition, { startAt: this.#indexAt(startMs) });
    this.#handles.set(rendition.name, handle);
    return handle;
  }

  #positionMs(index: number): number {
    const { boundaries } = this.title.plan;
    return Math.round(((boundaries[index] ?? 0) - (boundaries[0] ?? 0)) / TICKS_PER_MS);
  }

  #indexAt(positionMs: number): number {
    const { boundaries } = this.title.plan;
    const ticks = (boundaries[0] ?? 0) + positionMs * TICKS_PER_MS;
    const next = boundaries.findIndex((boundary) => boundary > ticks);
    return next === -1 ? segmentCount(this.title) - 1 : Math.max(0, next - 1);
  }

  #shared(key: string, render: () => string): RenderedPlaylist {
    const playlists = playlistsOf.get(this.title) ?? new Map<string, RenderedPlaylist>();
    playlistsOf.set(this.title, playlists);
    const playlist = playlists.get(key) ?? new RenderedPlaylist(render());
    if (playlists.size >= MAX_PLAYLISTS) playlists.clear();
    playlists.set(key, playlist);
    return playlist;
  }
}

function progressOf(name: string, kind: 'video' | 'audio', handle: RenditionHandle): RenditionProgressView {
  const { segmentCount: segments, encoded, bytes, isComplete, heads, failed } = handle.progress();
  const isRunning = heads.some(({ state }) => state !== 'waiting');
  const state = failed !== undefined ? 'failed' : isComplete ? 'complete' : isRunning ? 'running' : 'waiting';
  return {
    ...{ name, kind, segments, encoded, bytes, heads: heads.length, state },
    ...(failed !== undefined && { reason: failed }),
  };
}

function shortHash(value: unknown): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('base64url').slice(0, 8);
}

function noFile(file: string): AppError {
  return new AppError(
    'NOT_FOUND',
    `there is no file ${JSON.stringify(file.slice(0, 100))} in this rendition; see its index.m3u8`,
  );
}
