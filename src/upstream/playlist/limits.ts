/** What a playlist of somebody else may cost. Whatever is beyond them is refused with `BAD_MEDIA`. */
export const PLAYLIST_LIMITS = Object.freeze({
  /** For a playlist that is loaded again and again; whoever loads it applies this. */
  liveBytes: 2 * 1024 * 1024,
  /** For any playlist; also the most characters that are read. */
  bytes: 8 * 1024 * 1024,
  /** Of one line, before and after variables are put in. */
  lineChars: 16 * 1024,
  attributesPerTag: 100,
  segments: 20_000,
  /** Partial segments together. */
  parts: 20_000,
  /** Variants, I-frame variants and renditions together. */
  variants: 500,
  /** Session keys, variable definitions, rendition reports: so many of each. */
  listed: 500,
  keysInForce: 16,
  segmentMs: 600_000,
  /** All absolute addresses of a playlist together. */
  addressChars: 32 * 1024 * 1024,
});
