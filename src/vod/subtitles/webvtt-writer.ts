import type { Cue } from './cue.ts';

/** A segment of a screen full of moving signs is cut off here. */
const MAX_SEGMENT_CUES = 500;

/** A whole track as a WebVTT file. */
export function writeWebVtt(cues: readonly Cue[]): Buffer {
  return Buffer.from(`WEBVTT\n\n${cues.map(cueBlock).join('')}`);
}

/**
 * The WebVTT segment of what is shown from `fromMs` until `toMs` (RFC 8216 3.1.4): every cue that is seen in it, with its whole
 * time and text, so that players know one that they had in the segment before.
 *
 * @param originTicks Media time (90 kHz) at which the title's timeline begins.
 */
export function writeSubtitleSegment(
  cues: readonly Cue[],
  { fromMs, toMs, originTicks }: { fromMs: number; toMs: number; originTicks: number },
): Buffer {
  const seen = cues.filter(({ startMs, endMs }) => startMs < toMs && endMs > fromMs).slice(0, MAX_SEGMENT_CUES);
  const header = `WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:${originTicks}\n\n`;
  return Buffer.from(`${header}${seen.map(cueBlock).join('')}`);
}

function cueBlock({ startMs, endMs, settings, text }: Cue): string {
  const timing = `${timestamp(startMs)} --> ${timestamp(endMs)}`;
  return `${settings === '' ? timing : `${timing} ${settings}`}\n${text}\n\n`;
}

function timestamp(timeMs: number): string {
  const digits = (value: number, count = 2): string => String(Math.floor(value)).padStart(count, '0');
  return `${digits(timeMs / 3_600_000)}:${digits((timeMs / 60_000) % 60)}:${digits((timeMs / 1000) % 60)}.${digits(timeMs % 1000, 3)}`;
}
