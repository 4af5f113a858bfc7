import type { FragmentSource } from '../broadcast/fragment-broadcaster.ts';
import type { Fragment, TrackInit, TrackKind } from '../media/fragment.ts';
import { SOURCE_RENDITION } from '../media/track-key.ts';
import type { Clock } from '../util/clock.ts';
import type { Logger } from '../util/logger.ts';
import type { BroadcastStorage } from './broadcast-storage.ts';
import type { HlsOptions } from './hls-options.ts';
import type { BroadcastReport } from './hls-report.ts';
import { listLadder } from './ladder-listing.ts';
import type { LivePlaylist } from './live-playlist.ts';
import { LivePlaylists, type NamedTrack } from './live-playlists.ts';
import type { MediaFile } from './media-file.ts';
import { renderMultivariantPlaylist } from './multivariant-playlist.ts';
import type { PackagedTrack } from './packaged-track.ts';
import { PlaylistMemo, type RenderedPlaylist } from './rendered-playlist.ts';
import { RenditionPackager } from './rendition-packager.ts';
import { RetiredMedia } from './retired-media.ts';
import type { SequenceNumbers } from './sequence-store.ts';
import { TimeShift } from './time-shift.ts';
import { Timeline } from './timeline.ts';
import { TrackPackager } from './track-packager.ts';
import type { WaitingRoom } from './waiting-list.ts';

/** How long the first playable rendition waits for its siblings before viewers get a list without them. */
const SIBLING_GRACE_MS = 1_000;

interface BroadcastPackagerOptions {
  readonly broadcast: string;
  readonly options: HlsOptions;
  readonly clock: Clock;
  readonly logger: Logger;
  /** A new URI token at each call. */
  readonly nextToken: () => string;
  /** Where requests wait. */
  readonly room: WaitingRoom;
  /** Called with each media playlist that is rendered. */
  readonly onRendered: () => void;
  /** What an earlier life of the broadcast has used up. */
  readonly continues: SequenceNumbers | undefined;
  /** Called with what has been used up, before anybody is told of it. */
  readonly onNumbers: (numbers: SequenceNumbers) => void;
  readonly dvrMs: number;
  readonly storage: BroadcastStorage;
  /** Whether outputs of it may still open. */
  readonly isProduced: () => boolean;
  /** Called once, when every playlist has its end. */
  readonly onEnded: () => void;
}

/** One life of a broadcast, from its first track to ENDLIST: the shared timeline and all of its renditions. */
export class BroadcastPackager {
  readonly timeline: Timeline;
  /** Clips, I-frame playlists and keyframes of what can be played. */
  readonly timeShift: TimeShift;
  /** The recording that stays; `undefined` unless there is one, and until it is complete. */
  archive: string | undefined;
  readonly #context: BroadcastPackagerOptions;
  readonly #renditions = new Map<string, RenditionPackager>();
  readonly #sources = new Set<FragmentSource>();
  readonly #outputs = new Set<FragmentSource>();
  readonly #retired: RetiredMedia;
  readonly #playlists: LivePlaylists;
  readonly #sourceInits = new WeakSet<TrackInit>();
  readonly #memos = { dvr: new PlaylistMemo(), live: new PlaylistMemo() };
  readonly #drain = new AbortController();
  #hasSourceAudio = false;
  #hasSourceVideo = false;
  #aligned = false;
  #usedMsn = 0;
  #firstPlayableAtMs: number | undefined;
  #settled = false;
  #ended = false;

  constructor(context: BroadcastPackagerOptions) {
    const { options, continues, clock, room, onRendered } = context;
    this.#context = context;
    this.timeShift = new TimeShift({ options, playable: () => this.#playable() });
    this.#retired = new RetiredMedia(clock, options.windowSegments * options.segmentTargetMs);
    this.#playlists = new LivePlaylists({ options, clock, room, onRendered, offered: () => this.#offered() });
    this.timeline = new Timeline({
      segmentTargetMs: options.segmentTargetMs,
      keepSlots: 4 * options.windowSegments + 32,
      ...(continues && { firstMsn: continues.nextMsn, discontinuitiesBefore: continues.discontinuities }),
    });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** True if the publisher has left; what remains is to hand out what the outputs still hold. */
  get draining(): boolean {
    return this.#sources.size === 0 && (this.#hasSourceAudio || this.#hasSourceVideo);
  }

  /** True if at least one rendition ever became playable. */
  get hasMedia(): boolean {
    return this.#firstPlayableAtMs !== undefined;
  }

  /** Follows a track of the broadcast, source or output, until it closes. */
  addTrack(track: FragmentSource): void {
    if (this.#ended) return;
    const isSource = track.key.rendition === SOURCE_RENDITION;
    if (isSource) this.#addSource(track);
    else this.#addOutput(track);
    const next = (fragment: Fragment): void => {
      if (this.#ended) return;
      if (isSource) this.#onSource(fragment);
      else this.#onOutput(track, fragment);
      this.#playlists.announce();
    };
    for (const fragment of track.currentGop) next(fragment);
    track.fragments$.subscribe({ next, complete: () => this.#onClosed(track) });
  }

  /** The multivariant playlist of the whole window or of its newest part; `undefined` while there is nothing to play. */
  multivariant(window: 'dvr' | 'live'): RenderedPlaylist | undefined {
    if (!this.#isSettled()) return undefined;
    const renditions = [...this.#renditions.values()];
    const version = renditions.map(({ name, state, tracks }) =>
      [name, state, ...tracks.map((track) => track.version)].join(),
    );
    const snapshot = listLadder(this.#playable(), this.#context.options.sharedAudioRendition);
    if (snapshot.variants.length === 0) return undefined;
    const query = window === 'live' ? 'dvr=0' : '';
    return this.#memos[window].get(version.join(' '), () => renderMultivariantPlaylist(snapshot, query));
  }

  /** A media playlist; `undefined` if there is no such one to offer. */
  playlist(rendition: string, kind: TrackKind): LivePlaylist | undefined {
    const found = this.#renditions.get(rendition);
    const track = found?.reachable === true ? found.track(kind) : undefined;
    if (track === undefined || track.listed.length === 0) return undefined;
    return this.#playlists.of(track);
  }

  /** An init or a segment, also of a rendition that was removed a moment ago. */
  media(rendition: string, kind: TrackKind, file: string): MediaFile | undefined {
    return this.#renditions.get(rendition)?.track(kind)?.file(file) ?? this.#retired.file(file);
  }

  report(viewers: number): BroadcastReport {
    return {
      broadcast: this.#context.broadcast,
      state: this.#ended ? 'ended' : 'live',
      ...(this.archive !== undefined && { archive: this.archive }),
      newestMsn: this.timeline.newest?.msn,
      sourceGopMs: this.timeline.sourceGopMs,
      warnings: this.#ended ? [] : this.#warnings(),
      viewers,
      away: this.#playlists.away,
      waitingRequests: this.#playlists.waiting,
      renditions: [...this.#renditions.values()].map((rendition) => rendition.report()),
    };
  }

  /** Ends all playlists if the publisher has left and all outputs have handed out what they had. */
  endIfDrained(): void {
    if (this.draining && this.#outputs.size === 0 && !this.#context.isProduced()) this.end();
  }

  /** Ends all playlists now. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.timeline.end();
    for (const packager of this.#packagers()) packager.finish();
    this.#notePlayable();
    this.#ended = true;
    this.#playlists.end();
    this.#drain.abort();
    this.#context.onEnded();
  }

  /** Ends all playlists, and whoever still waits for them gets an answer now. Idempotent. */
  close(): void {
    this.end();
    this.#playlists.close();
  }

  #playable(): RenditionPackager[] {
    return [...this.#renditions.values()].filter(({ state }) => state === 'playable');
  }

  /** Tracks that players may have now. */
  #offered(): NamedTrack[] {
    return this.#playable().flatMap(({ name, tracks }) =>
      tracks.filter((track) => track.playable).map((track) => ({ rendition: name, track })),
    );
  }

  #packagers(): TrackPackager[] {
    return [...this.#renditions.values()].flatMap(({ packagers }) => packagers);
  }

  #addSource(track: FragmentSource): void {
    this.#sources.add(track);
    this.#sourceInits.add(track.init);
    if (track.key.track === 'audio') this.#hasSourceAudio = true;
    else this.#hasSourceVideo = true;
  }

  #addOutput(track: FragmentSource): void {
    const { options, nextToken, dvrMs, storage } = this.#context;
    const { rendition: name, track: kind } = track.key;
    this.#outputs.add(track);
    if (this.#playlists.ending) this.#dropEndedRung();
    const rendition = this.#renditions.get(name) ?? new RenditionPackager(name);
    this.#renditions.set(name, rendition);
    rendition.add(
      new TrackPackager({
        kind,
        timeline: this.timeline,
        options,
        token: nextToken(),
        dvrMs,
        store: storage.track(name, kind),
      }),
    );
  }

  #onSource(fragment: Fragment): void {
    if (fragment.init.kind === 'video') this.#sourceInits.add(fragment.init);
    this.timeline.observeSource(fragment);
    this.#playlists.onSource();
    this.#onTimelineMoved();
  }

  #onOutput(track: FragmentSource, fragment: Fragment): void {
    const rendition = this.#renditions.get(track.key.rendition);
    const packager = rendition?.packager(track.key.track);
    if (rendition === undefined || packager === undefined || !this.#outputs.has(track)) return;
    if (packager.kind === 'audio') {
      packager.push(fragment);
      this.#notePlayable();
      return;
    }
    rendition.untouched = this.#sourceInits.has(fragment.init);
    if (!rendition.untouched) this.timeline.observeRung(fragment);
    packager.push(fragment);
    this.#onTimelineMoved();
  }

  #onTimelineMoved(): void {
    this.#noteNumbers();
    for (const packager of this.#packagers()) packager.advance();
    const becameAligned = !this.#aligned && this.timeline.aligned;
    this.#aligned = this.timeline.aligned;
    for (const rendition of this.#renditions.values()) {
      if (!rendition.untouched) continue;
      rendition.withheld = this.#aligned ? undefined : this.#whyWithheld();
      rendition.reachable = this.#aligned || !this.#gopIsTooLong();
      if (!rendition.reachable) rendition.tracks.forEach((track) => this.#playlists.drop(track));
      if (becameAligned) rendition.track('video')?.unlistThroughGaps();
    }
    this.#notePlayable();
  }

  #noteNumbers(): void {
    const { nextMsn, discontinuities } = this.timeline;
    if (nextMsn === this.#usedMsn) return;
    this.#usedMsn = nextMsn;
    this.#context.onNumbers({ nextMsn, discontinuities });
  }

  #whyWithheld(): string {
    const { sourceGopMs = 0, longestGopMs } = this.timeline;
    return this.#gopIsTooLong()
      ? `the publisher's keyframes are ${seconds(sourceGopMs)} apart, more than the ${seconds(longestGopMs)} that fit a segment`
      : 'waits for two keyframe intervals in a row that fit a segment';
  }

  #gopIsTooLong(): boolean {
    const { sourceGopMs = 0, longestGopMs } = this.timeline;
    return sourceGopMs > longestGopMs;
  }

  #warnings(): string[] {
    const { sourceGopMs = 0 } = this.timeline;
    const targetMs = this.#context.options.segmentTargetMs;
    const warnings: string[] = [];
    if (this.#gopIsTooLong()) {
      warnings.push(`keyframes every ${seconds(sourceGopMs)}: set the keyframe interval to ${seconds(targetMs)}`);
    }
    if (this.#hasSourceVideo && this.timeline.sourceDriven && !this.#aligned) {
      warnings.push('no encoded rung delivers video: check the ladder and the state of its transcodes');
    }
    return warnings;
  }

  #onClosed(track: FragmentSource): void {
    if (this.#ended) return;
    if (this.#sources.delete(track)) {
      if (this.#sources.size > 0 && track.key.track === 'video') this.#hasSourceVideo = false;
      if (this.#sources.size > 0 && track.key.track === 'audio') this.#hasSourceAudio = false;
      // Outputs that have nothing handed out yet may still open.
      if (this.#sources.size === 0) void this.#endAfterDrain();
      return;
    }
    this.#outputs.delete(track);
    if (this.#sources.size > 0) this.#removeTrack(track);
    else this.endIfDrained();
    this.#playlists.announce();
  }

  async #endAfterDrain(): Promise<void> {
    const { clock, options, logger, broadcast } = this.#context;
    await clock.wait(options.drainTimeoutMs, this.#drain.signal);
    if (this.#ended || this.#sources.size > 0) return;
    logger.warn({ broadcast, open: this.#outputs.size }, 'outputs did not end with their source; ended without them');
    this.end();
  }

  /** The publisher is still there, so a rung was removed: players must find it gone, not ended. */
  #removeTrack({ key }: FragmentSource): void {
    const rendition = this.#renditions.get(key.rendition);
    const packager = rendition?.packager(key.track);
    if (rendition === undefined || packager === undefined) return;
    // What ends with its own source track leaves the rest of the broadcast to go on without it.
    const sourceIsOpen = [...this.#sources].some((source) => source.key.track === key.track);
    if (sourceIsOpen && this.#isLastVariant(rendition)) {
      packager.finish();
      this.#playlists.end();
      return;
    }
    this.#retire(packager.track);
    if (rendition.remove(key.track)) this.#renditions.delete(key.rendition);
  }

  #retire(track: PackagedTrack): void {
    this.#retired.add(track);
    this.#playlists.drop(track);
  }

  #isLastVariant(rendition: RenditionPackager): boolean {
    const { sharedAudioRendition } = this.#context.options;
    if (rendition.state !== 'playable') return false;
    const others = [...this.#renditions.values()].filter((other) => other !== rendition && other.state === 'playable');
    return others.every((other) => other.name === sharedAudioRendition && rendition.hasVideo);
  }

  /** Something else can be played again. */
  #dropEndedRung(): void {
    this.#playlists.resume();
    const open = new Set([...this.#outputs].map(({ key }) => key.rendition));
    for (const [name, rendition] of this.#renditions) {
      if (open.has(name)) continue;
      rendition.tracks.forEach((track) => this.#retire(track));
      this.#renditions.delete(name);
    }
  }

  #notePlayable(): void {
    if (this.#firstPlayableAtMs !== undefined) return;
    const isPlayable = [...this.#renditions.values()].some(({ state }) => state === 'playable');
    if (isPlayable) this.#firstPlayableAtMs = this.#context.clock.nowMs();
  }

  /** False while renditions that are about to be playable would be missing: running players never read the list again. */
  #isSettled(): boolean {
    if (this.#settled || this.#firstPlayableAtMs === undefined) return this.#settled;
    const { options, clock } = this.#context;
    const renditions = [...this.#renditions.values()];
    const isPlayable = (test: (rendition: RenditionPackager) => boolean): boolean =>
      renditions.some((rendition) => rendition.state === 'playable' && test(rendition));
    const lacksVideo = this.#hasSourceVideo && !isPlayable(({ hasVideo }) => hasVideo);
    const lacksAudio = this.#hasSourceAudio && !isPlayable(({ name }) => name === options.sharedAudioRendition);
    const lacksSiblings = renditions.some(({ state }) => state === 'starting');
    const graceMs = lacksVideo || lacksAudio ? 2 * options.segmentTargetMs : lacksSiblings ? SIBLING_GRACE_MS : 0;
    this.#settled = this.#ended || clock.nowMs() - this.#firstPlayableAtMs >= graceMs;
    return this.#settled;
  }
}

function seconds(ms: number): string {
  return `${Number((ms / 1000).toFixed(1))} s`;
}
