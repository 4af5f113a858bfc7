/** What ffmpeg or ffprobe read, with the options that confine them to it. */
export interface FfmpegSource {
  /** What comes after `-i`. */
  readonly url: string;
  /** Options before `-i`. */
  readonly options: readonly string[];
}

const MAX_TEXT_CHARS = 300;
/** Which part of ffmpeg speaks, and where it lies in its memory: `[mov,mp4 @ 0x55a95d0a6700] `. */
const SPEAKER = /\[[^\]\n]{1,100} @ 0x[0-9a-f]{1,16}\] ?/g;

/**
 * A line that ffmpeg wrote, fit for a message: without where the source lies, control characters, and
 * addresses in ffmpeg's memory; bounded.
 */
export function cleanLine(line: string, source?: string): string {
  const text = source === undefined || source === '' ? line : line.replaceAll(source, 'the source');
  return text
    .replace(SPEAKER, '')
    .replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ')
    .slice(0, MAX_TEXT_CHARS);
}
