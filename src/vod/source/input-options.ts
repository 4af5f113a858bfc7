import type { FfmpegInput } from './media-source.ts';

/**
 * Containers that may be opened, as libavformat names their demuxers. Left out on purpose is all that can name further
 * files or addresses (hls, dash, concat, sdp, image2, lavfi ...), since ffmpeg chooses by content and not by file name.
 */
const MEDIA_FORMATS = 'mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,avi,flv,mpeg,wav,mp3,aac,ogg,flac';
/** 8K. A coded picture of some kilobytes may otherwise claim gigabytes of memory when it is decoded. */
const MAX_PIXELS = 36_000_000;
/** How long ffmpeg waits for the relay; the relay gives up on a web server before that. */
const RELAY_TIMEOUT_MS = 30_000;

/** How much of a stream ffmpeg looks at before it begins; more costs a segment, less misses frame rates. */
const ANALYZED_US = 2_000_000;

const RELAY_GUARDS = [
  ...['-protocol_whitelist', 'http,tcp', '-max_redirects', '0'],
  ...['-rw_timeout', String(RELAY_TIMEOUT_MS * 1_000)],
];
const MEDIA_GUARDS = ['-format_whitelist', MEDIA_FORMATS, '-max_pixels', String(MAX_PIXELS)];

/** Lets ffmpeg read a local media file and nothing else. The `file:` keeps a name from being taken for an option or protocol. */
export function localInput(realPath: string): FfmpegInput {
  return {
    url: `file:${realPath}`,
    options: ['-protocol_whitelist', 'file', ...MEDIA_GUARDS],
    release: () => undefined,
  };
}

/** Lets ffmpeg read a relayed file and nothing else; it never follows a redirect, and never gives up its own waiting early. */
export function relayInput(url: string, release: () => void): FfmpegInput {
  return { url, options: [...RELAY_GUARDS, ...MEDIA_GUARDS], release };
}

/** Lets ffmpeg read a relayed stream from its beginning, as what it has to be, and nothing else. */
export function streamInput(url: string, format: 'mpegts' | 'mp4'): Pick<FfmpegInput, 'url' | 'options'> {
  const stream = ['-seekable', '0', '-analyzeduration', String(ANALYZED_US), '-f', format];
  return { url, options: [...RELAY_GUARDS, ...MEDIA_GUARDS, ...stream] };
}
