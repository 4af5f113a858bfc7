import type { RemoteUrl } from '../../remote/remote-url.ts';

/** What something that a playlist names is; decides how large it may be and how long it may take. */
export type MediaKind = 'segment' | 'part' | 'init' | 'key';

/** Something that a playlist names and that can be fetched. */
export interface MediaItem {
  /** Identity of the bytes, never an address: two items with this id in common are the same bytes. */
  readonly id: string;
  /** Where the bytes are at present; may change from one load of the playlist to the next. */
  readonly target: RemoteUrl;
  /** The part of the file that it is, bytes; the whole file if left out. */
  readonly byteRange?: { readonly offset: number; readonly length: number } | undefined;
  /** Media that it holds; 0 for what holds none. */
  readonly durationMs: number;
  readonly kind: MediaKind;
}

/** Limits of a fetch. */
export interface MediaLimits {
  readonly maxBytes: number;
  /** For one try. */
  readonly timeoutMs: number;
}

const MB = 1024 * 1024;
const MAX_BYTES: Readonly<Record<MediaKind, number>> = {
  segment: 64 * MB,
  part: 64 * MB,
  init: MB,
  key: 64 * 1024,
};
const LEAST_TIMEOUT_MS = 10_000;
const KEY_TIMEOUT_MS = 5_000;

/** How large something may be, and how long it may take: thrice as long as it lasts, and 10 s at least. */
export function mediaLimits({ kind, durationMs }: MediaItem): MediaLimits {
  const timeoutMs = kind === 'key' ? KEY_TIMEOUT_MS : Math.max(LEAST_TIMEOUT_MS, 3 * durationMs);
  return { maxBytes: MAX_BYTES[kind], timeoutMs };
}
