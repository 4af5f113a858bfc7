import { RenderedPlaylist } from '../../src/hls/rendered-playlist.ts';
import type { Fragment } from '../../src/media/fragment.ts';
import { AppError } from '../../src/util/errors.ts';
import { audioFrames, audioInit, videoFrames, videoInit } from './hls-fragments.ts';
import { HlsStage, type StageAnswer } from './hls-stage.ts';

/** The picture that the publisher sends. */
export const source = videoInit({ width: 1920, height: 1080 });
/** The picture of the encoded rung. */
export const rung = videoInit({ bytes: Buffer.from('720p') });
/** The sound. */
export const aac = audioInit();

interface Span {
  readonly from?: number;
  readonly to: number;
  readonly epoch?: number;
  readonly lateMs?: number;
  readonly keyframes?: readonly number[] | number;
}

/** Where the publisher has its keyframes unless a test says otherwise. */
export const EVEN_SECONDS = Array.from({ length: 40 }, (_, index) => 2 * index);

/** Frames of a rung. */
export function rungFrames({ lateMs = 100, ...span }: Span, init = rung): Fragment[] {
  return videoFrames({ init, keyframes: EVEN_SECONDS, lateMs, ...span });
}

/** What all tracks of a broadcast with one encoded rung get in a span of time, in seconds. */
export function media({ lateMs = 0, keyframes = EVEN_SECONDS, ...rest }: Span): Record<string, Fragment[]> {
  const span = { ...rest, keyframes };
  const untouched = videoFrames({ init: source, lateMs, ...span });
  const audio = audioFrames({ init: aac, lateMs, ...span });
  return {
    source: untouched,
    'source#audio': audio,
    original: untouched,
    audio,
    '720p': rungFrames({ ...span, lateMs: lateMs + 100 }),
  };
}

/** A stage on which everything is open and nothing has played. */
export function newStage(options: ConstructorParameters<typeof HlsStage>[0] = {}): HlsStage {
  const stage = new HlsStage(options);
  stage.open('source', source);
  stage.open('source', aac);
  stage.open('original', source);
  stage.open('audio', aac);
  stage.open('720p', rung);
  return stage;
}

/** A stage that has played for so many seconds. */
export function playing(to: number, options: ConstructorParameters<typeof HlsStage>[0] = {}): HlsStage {
  const stage = newStage(options);
  stage.play(media({ to }));
  return stage;
}

/** Closes all tracks. */
export function endPublisher(stage: HlsStage): void {
  stage.close('source', 'video');
  stage.close('source', 'audio');
  for (const rendition of ['original', '720p']) stage.close(rendition, 'video');
  stage.close('audio', 'audio');
}

/** Lines of a playlist that match. */
export function lines(text: string | undefined, pattern: RegExp): string[] {
  return (text ?? '').split('\n').filter((line) => pattern.test(line));
}

/** What became of a request, in a word. */
export function outcome({ answer }: StageAnswer<unknown>): string {
  if (answer instanceof AppError) return answer.code;
  return answer === undefined ? 'waits' : 'answered';
}

/** The playlist that was answered, or nothing. */
export function textOf({ answer }: StageAnswer<RenderedPlaylist>): string {
  return answer instanceof RenderedPlaylist ? answer.plain.toString() : '';
}

/** The part that a playlist hints at. */
export function hintIn(text: string | undefined): string {
  return /PRELOAD-HINT:TYPE=PART,URI="([^"]+)"/.exec(text ?? '')?.[1] ?? '';
}
