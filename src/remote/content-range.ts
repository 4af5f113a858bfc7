/** 8 TiB; beyond what any file system of a web server holds. */
const MAX_SIZE_BYTES = 2 ** 43;

/** What part of a file an answer holds, both ends included; -1 for both if it holds none. */
export interface ContentRange {
  readonly start: number;
  readonly end: number;
  /** Of the whole file. */
  readonly sizeBytes: number;
}

/** Reads a `Content-Range` header (RFC 9110, 14.4); `undefined` if it is none, or leaves the size open. */
export function parseContentRange(text: string | undefined): ContentRange | undefined {
  const match = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15})$/.exec(text?.trim() ?? '');
  if (match === null) return undefined;
  const sizeBytes = Number(match[3]);
  if (sizeBytes > MAX_SIZE_BYTES) return undefined;
  return { start: Number(match[1] ?? -1), end: Number(match[2] ?? -1), sizeBytes };
}
