import type { MediaFile } from '../../src/hls/media-file.ts';
import { AppError } from '../../src/util/errors.ts';
import { deferred } from '../../src/util/deferred.ts';
import type { RenditionHandle, RenditionProgress } from '../../src/vod/play/rendition-handle.ts';
import type { VodDeps } from '../../src/vod/session/vod-deps.ts';
import type { AudioFacts, SubtitleFacts, Title } from '../../src/vod/source/title.ts';
import type { VodAudio, VodRendition, VodVideo } from '../../src/vod/vod-rendition.ts';

/** A sound track that there is no file of. */
export function audioFacts(facts: Partial<AudioFacts> = {}): AudioFacts {
  return {
    ...{ streamIndex: 1, codec: 'aac', profile: 'LC', channels: 2, sampleRate: 48_000, bitrate: undefined },
    ...{ language: undefined, title: undefined, isDefault: false, startTicks: 0, ...facts },
  };
}

/** A subtitle track that there is no file of. */
export function subtitleFacts(facts: Partial<SubtitleFacts> = {}): SubtitleFacts {
  return {
    ...{ streamIndex: 2, sidecarPath: undefined, codec: 'subrip', kind: 'text', language: undefined, title: undefined },
    ...{ isDefault: false, isForced: false, isForHearingImpaired: false, ...facts },
  };
}

/** A title of 2, 4, 4 and 1.5 seconds with a picture and one sound. */
export function fakeTitle(
  label: string,
  { identity = label, ...facts }: Partial<Title> & { identity?: string } = {},
): Title {
  const boundaries = [0, 180_000, 540_000, 900_000, 1_035_000];
  return {
    source: {
      ...{ kind: 'file', label, identity, sizeBytes: 1 },
      openInput: () => Promise.reject(new Error('there is no such file')),
      openBytes: () => Promise.reject(new Error('there is no such file')),
    },
    ...{ format: 'matroska,webm', startTicks: 0, durationTicks: 1_035_000 },
    video: {
      ...{ streamIndex: 0, codec: 'h264', width: 1280, height: 720, frameRate: 24, isInterlaced: false, isHdr: false },
      ...{ bitrate: undefined, copy: undefined, copyObjection: undefined },
    },
    audio: [audioFacts({ language: 'de', title: 'Deutsch', isDefault: true })],
    subtitles: [],
    plan: { boundaries, keyframes: boundaries, atKeyframes: true },
    ...facts,
  };
}

/** A rung of the picture. */
export function vodVideo(name: string, height: number, bandwidth: number): VodVideo {
  return {
    ...{ kind: 'video', name, mode: 'encode', codec: 'avc1.64001f', bandwidth, averageBandwidth: bandwidth / 2 },
    ...{ width: (height * 16) / 9, height, frameRate: 24, spec: undefined, encoder: undefined, burn: undefined },
  };
}

/** A sound. */
export function vodAudio(trackIndex: number, channels: number, facts: Partial<VodAudio> = {}): VodAudio {
  return {
    ...{
      kind: 'audio',
      name: `audio-${trackIndex}${channels > 2 ? '-surround' : ''}`,
      mode: 'encode',
      codec: 'mp4a.40.2',
    },
    ...{ bandwidth: channels * 70_000, averageBandwidth: channels * 64_000, trackIndex, channels, sampleRate: 48_000 },
    ...{ language: undefined, title: `Track ${trackIndex + 1}`, isDefault: trackIndex === 0, ...facts },
  };
}

/** A rendition that is encoded when the test says so. */
export class FakeHandle implements RenditionHandle {
  readonly segmentCount = 4;
  readonly rendition: VodRendition;
  readonly startAt: number;
  /** Segments that were asked for. */
  readonly asked: number[] = [];
  isReleased = false;
  encoded = 0;
  failed: string | undefined;
  /** True: what is asked for does not come. */
  stalls = false;
  /** Resolve it to complete a fill. */
  readonly filled = deferred();

  constructor(rendition: VodRendition, startAt: number) {
    this.rendition = rendition;
    this.startAt = startAt;
  }

  init(): Promise<MediaFile> {
    return Promise.resolve({ contentType: 'video/mp4', bytes: Buffer.from(`init of ${this.rendition.name}`) });
  }

  segment(index: number, signal: AbortSignal): Promise<MediaFile> {
    this.asked.push(index);
    if (!this.stalls) {
      return Promise.resolve({ contentType: 'video/mp4', bytes: Buffer.from(`${this.rendition.name} ${index}`) });
    }
    return new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(new AppError('GONE', 'nobody waits for it')));
    });
  }

  fill(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.filled.reject(new AppError('GONE', 'nobody waits for it')));
    return this.filled.promise;
  }

  progress(): RenditionProgress {
    const { segmentCount, encoded, failed } = this;
    const heads = encoded > 0 && encoded < 4 ? [{ next: encoded, end: 4, state: 'running' as const }] : [];
    return {
      ...{ segmentCount, encoded, bytes: encoded * 1_000, isComplete: encoded === 4, heads },
      ...{ speed: undefined, failed },
    };
  }

  onProgress(): () => void {
    return () => undefined;
  }

  release(): void {
    this.isReleased = true;
  }
}

/** Titles that can be played without any file or encoder. */
export class FakeVod {
  readonly titles = new Map<string, Title>();
  readonly handles: FakeHandle[] = [];
  /** Sources that were looked at, in order. */
  readonly resolved: string[] = [];
  renditions: VodRendition[] = [vodVideo('720p', 720, 3_000_000), vodAudio(0, 2)];
  /** Changes when the encoders do. */
  encoder = 'x264';
  /** What became of subtitle tracks. */
  subtitleStates: { track: number; state: string; reason?: string }[] = [];
  /** Awaited before a source is found. */
  gate: Promise<unknown> = Promise.resolve();

  /** Makes a title available. */
  add(label: string, facts: Parameters<typeof fakeTitle>[1] = {}): void {
    this.titles.set(label, fakeTitle(label, facts));
  }

  /** The newest handle of a rendition that is in use. */
  handle(rendition: string): FakeHandle | undefined {
    return this.handles.findLast((handle) => handle.rendition.name === rendition && !handle.isReleased);
  }

  readonly deps: VodDeps = {
    sources: {
      resolve: async (source) => {
        this.resolved.push(source);
        await this.gate;
        const title = this.titles.get(source);
        if (title === undefined) throw new AppError('NOT_FOUND', `there is no file "${source}" below the media roots`);
        return title.source;
      },
    },
    titles: { read: ({ label }) => Promise.resolve(this.titles.get(label)!) },
    plan: () => this.renditions,
    segmentTicks: ({ plan: { boundaries } }, { kind }) =>
      boundaries.slice(1).map((end, index) => end - (boundaries[index] ?? 0) + (kind === 'audio' ? 7 : 0)),
    fingerprint: () => this.encoder,
    pool: {
      open: (_title, rendition, { startAt }) => {
        const handle = new FakeHandle(rendition, startAt);
        this.handles.push(handle);
        return handle;
      },
    },
    subtitles: {
      ensure: () => undefined,
      segment: (_title, track, index) => Promise.resolve(Buffer.from(`WEBVTT\n\ntrack ${track} segment ${index}\n`)),
      report: () => this.subtitleStates,
    },
  };
}
