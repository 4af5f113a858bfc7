import type { SubtitleChoice } from './track-choice.ts';

/** Who wants to play what. */
export interface SessionRequest {
  /** A file below a media root, or an http(s) URL. */
  readonly source: string;
  /** Index of the sound that plays unless the viewer changes it. */
  readonly audio?: number | undefined;
  readonly subtitles?: SubtitleChoice | undefined;
  /** Whose session it is; without one, no limit per user applies. */
  readonly user?: string | undefined;
  /** Where to go on; left out: where the session was. */
  readonly positionMs?: number | undefined;
  /** True to encode all that is missing, whether anybody watches or not. */
  readonly fill?: boolean | undefined;
}

/** A session as REST shows it. A snapshot. */
export interface SessionView {
  /** Whoever knows it may play. */
  readonly id: string;
  /** The source without credentials and query. */
  readonly source: string;
  readonly user?: string;
  /** `idle`: no encoder works for it; the next request wakes it up. */
  readonly state: 'active' | 'idle';
  /** Paths. */
  readonly playlist: string;
  readonly watch: string;
  readonly durationMs: number;
  readonly positionMs: number;
  readonly startedAt: string;
  readonly seenAt: string;
  /** Given while it is active. */
  readonly video?: VideoView;
  readonly audio?: readonly AudioTrackView[];
  readonly subtitles?: readonly SubtitleTrackView[];
  readonly renditions?: readonly RenditionView[];
}

/** The picture of the source. */
export interface VideoView {
  readonly codec: string;
  readonly width: number;
  readonly height: number;
  readonly frameRate: number;
  /** Why its frames cannot be served as they are, if so. */
  readonly copyObjection?: string;
}

/** A sound track of the source. */
export interface AudioTrackView {
  readonly index: number;
  readonly codec: string;
  readonly channels: number;
  readonly language?: string;
  readonly title?: string;
}

/** A subtitle track of the source, or beside it. */
export interface SubtitleTrackView {
  readonly index: number;
  readonly codec: string;
  readonly kind: 'text' | 'picture';
  readonly language?: string;
  readonly title?: string;
  readonly isForced: boolean;
  /** Why it cannot be shown, if so. */
  readonly failure?: string;
}

/** What a viewer can choose. */
export interface RenditionView {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly mode: 'copy' | 'encode';
  readonly codec: string;
  /** bit/s */
  readonly bandwidth: number;
  readonly width?: number;
  readonly height?: number;
  readonly channels?: number;
}

/** How far the renditions of a session are encoded. A snapshot. */
export interface SessionProgress {
  readonly id: string;
  /** Of encoding everything; `on-demand`: nobody asked for that, only what players ask for is encoded. */
  readonly state: 'on-demand' | 'running' | 'complete' | 'failed';
  /** Why it failed. */
  readonly reason?: string;
  /** Of all renditions below together. */
  readonly segments: number;
  readonly encoded: number;
  readonly bytes: number;
  /** Those that somebody asked for. */
  readonly renditions: readonly RenditionProgressView[];
}

/** How far one rendition is encoded. */
export interface RenditionProgressView {
  readonly name: string;
  readonly kind: 'video' | 'audio';
  readonly segments: number;
  readonly encoded: number;
  readonly bytes: number;
  /** Encoders at work. */
  readonly heads: number;
  readonly state: 'waiting' | 'running' | 'complete' | 'failed';
  readonly reason?: string;
}

/** What a player's page needs to know. */
export interface PlaybackInfo {
  readonly id: string;
  readonly title: string;
  readonly durationMs: number;
  readonly positionMs: number;
  readonly playlist: string;
}

/** Figures of all sessions. */
export interface SessionFigures {
  readonly active: number;
  readonly idle: number;
  /** Since the start of the server. */
  readonly started: number;
  readonly revived: number;
  /** Those that had to make room for another one, and those that were refused by a limit. */
  readonly displaced: number;
  readonly refused: number;
}
