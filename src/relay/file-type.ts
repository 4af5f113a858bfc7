import type { UpstreamRendition } from '../upstream/follow/upstream-ladder.ts';

/** How a file of a source is named and told of here: nothing else may come from a stranger under this server's address. */
export interface FileType {
  /** Without a dot. */
  readonly extension: string;
  readonly contentType: string;
}

/** What is known of a file before it is fetched. */
interface FileHints {
  readonly uri: URL;
  /** What it is part of. */
  readonly rendition: UpstreamRendition['kind'];
  /** Whether an initialization section goes with it, or it is one: then it is fMP4. */
  readonly hasInit: boolean;
}

const MP4 = 'video/mp4';
const MP4_AUDIO = 'audio/mp4';

/** Media types by extension (RFC 8216, section 10; draft-pantos-hls-rfc8216bis, section 3.1). */
const CONTENT_TYPES: ReadonlyMap<string, string> = new Map([
  ['ts', 'video/mp2t'],
  ['mp4', MP4],
  ['m4s', MP4],
  ['m4v', MP4],
  ['cmfv', MP4],
  ['m4a', MP4_AUDIO],
  ['cmfa', MP4_AUDIO],
  ['aac', 'audio/aac'],
  ['mp3', 'audio/mpeg'],
  ['ac3', 'audio/ac3'],
  ['ec3', 'audio/eac3'],
  ['vtt', 'text/vtt'],
  ['webvtt', 'text/vtt'],
]);

/** What a key is sent as. */
export const KEY_TYPE: FileType = Object.freeze({ extension: 'key', contentType: 'application/octet-stream' });

/** The type of a file of media, by its extension if that is one of media, else by what it belongs to. */
export function fileTypeOf({ uri, rendition, hasInit }: FileHints): FileType {
  const given = /\.([a-z0-9]{1,8})$/i.exec(uri.pathname)?.[1]?.toLowerCase();
  const extension = given !== undefined && CONTENT_TYPES.has(given) ? given : usualExtension(rendition, hasInit);
  const contentType = CONTENT_TYPES.get(extension) ?? MP4;
  return { extension, contentType: rendition === 'audio' && contentType === MP4 ? MP4_AUDIO : contentType };
}

function usualExtension(rendition: FileHints['rendition'], hasInit: boolean): string {
  if (hasInit) return 'm4s';
  return rendition === 'subtitles' ? 'vtt' : 'ts';
}
