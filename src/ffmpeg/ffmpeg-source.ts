/** What ffmpeg or ffprobe read, with the options that confine them to it. */
export interface FfmpegSource {
  /** What comes after `-i`. */
  readonly url: string;
  /** Options before `-i`. */
  readonly options: readonly string[];
}

const MAX_TEXT_CHARS = 300;

/** A line that ffmpeg wrote, fit for a message: without where the source lies, without control characters, bounded. */
export function cleanLine(line: string, source?: string): string {
  const text = source === undefined || source === '' ? line : line.replaceAll(source, 'the source');
  return text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, ' ').slice(0, MAX_TEXT_CHARS);
}
