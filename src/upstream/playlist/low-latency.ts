import { type Attributes, isYes, textOf } from './attribute-list.ts';
import { type ByteRanges, parseByteRange } from './byte-range.ts';
import { PLAYLIST_LIMITS } from './limits.ts';
import { integerFrom, millisecondsFrom } from './number-text.ts';
import type { PlaylistScope } from './playlist-scope.ts';
import { badLine, type Line } from './playlist-text.ts';
import type { Part } from './segment.ts';

const MAX_HOLD_BACK_MS = 24 * 3_600_000;

/** What a server offers: EXT-X-SERVER-CONTROL (RFC 8216bis, 4.4.3.8). */
export interface ServerControl {
  readonly canBlockReload: boolean;
  readonly holdBackMs: number | undefined;
  readonly partHoldBackMs: number | undefined;
  readonly canSkipUntilMs: number | undefined;
}

/** A partial segment that will be there next: EXT-X-PRELOAD-HINT with TYPE=PART (RFC 8216bis, 4.4.5.3). */
export interface PreloadHint {
  readonly uri: URL;
  /** Without a length: to the end of the file. `undefined` for the whole file. */
  readonly byteRange: { readonly offset: number; readonly length: number | undefined } | undefined;
}

/** Where another rendition is: EXT-X-RENDITION-REPORT (RFC 8216bis, 4.4.5.4). */
export interface RenditionReport {
  readonly uri: URL;
  readonly lastSequence: number | undefined;
  readonly lastPart: number | undefined;
}

/** Where to begin: EXT-X-START (RFC 8216, 4.3.5.2). */
export interface StartPoint {
  /** Negative from the end. */
  readonly offsetMs: number;
  readonly isPrecise: boolean;
}

/** Reads EXT-X-SERVER-CONTROL; what makes no sense is left out. */
export function parseServerControl(attributes: Attributes): ServerControl {
  const time = (name: string): number | undefined => millisecondsFrom(textOf(attributes, name), MAX_HOLD_BACK_MS);
  return Object.freeze({
    canBlockReload: isYes(attributes, 'CAN-BLOCK-RELOAD'),
    holdBackMs: time('HOLD-BACK'),
    partHoldBackMs: time('PART-HOLD-BACK'),
    canSkipUntilMs: time('CAN-SKIP-UNTIL'),
  });
}

/** Reads EXT-X-PART. @throws AppError `BAD_MEDIA` if it is none */
export function parsePart(line: Line, scope: PlaylistScope, ranges: ByteRanges): Part {
  const attributes = scope.attributes(line);
  const uri = scope.uriOf(line, attributes);
  const durationMs = millisecondsFrom(textOf(attributes, 'DURATION'), PLAYLIST_LIMITS.segmentMs);
  if (uri === undefined || durationMs === undefined) throw badLine(line, 'is a part without URI or DURATION');
  const range = textOf(attributes, 'BYTERANGE');
  return Object.freeze({
    ...{ uri, durationMs },
    byteRange: range === undefined ? undefined : ranges.next(line, uri, parseByteRange(line, range)),
    independent: isYes(attributes, 'INDEPENDENT'),
    gap: isYes(attributes, 'GAP'),
  });
}

/** Reads EXT-X-PRELOAD-HINT; `undefined` for what is no part. @throws AppError `BAD_MEDIA` without an address */
export function parsePreloadHint(line: Line, scope: PlaylistScope): PreloadHint | undefined {
  const attributes = scope.attributes(line);
  if (textOf(attributes, 'TYPE') !== 'PART') return undefined;
  const uri = scope.uriOf(line, attributes);
  if (uri === undefined) throw badLine(line, 'is a preload hint without URI');
  const offset = integerFrom(textOf(attributes, 'BYTERANGE-START'), Number.MAX_SAFE_INTEGER);
  const length = integerFrom(textOf(attributes, 'BYTERANGE-LENGTH'), Number.MAX_SAFE_INTEGER);
  const byteRange = offset === undefined && length === undefined ? undefined : { offset: offset ?? 0, length };
  return Object.freeze({ uri, byteRange });
}

/** Reads EXT-X-RENDITION-REPORT. @throws AppError `BAD_MEDIA` without an address */
export function parseRenditionReport(line: Line, scope: PlaylistScope): RenditionReport {
  const attributes = scope.attributes(line);
  const uri = scope.uriOf(line, attributes);
  if (uri === undefined) throw badLine(line, 'is a rendition report without URI');
  return Object.freeze({
    uri,
    lastSequence: integerFrom(textOf(attributes, 'LAST-MSN'), Number.MAX_SAFE_INTEGER),
    lastPart: integerFrom(textOf(attributes, 'LAST-PART'), Number.MAX_SAFE_INTEGER),
  });
}

/** Reads EXT-X-START; `undefined` if it makes no sense. */
export function parseStart(attributes: Attributes): StartPoint | undefined {
  const text = textOf(attributes, 'TIME-OFFSET') ?? '';
  const isNegative = text.startsWith('-');
  const distanceMs = millisecondsFrom(isNegative ? text.slice(1) : text, 365 * 24 * 3_600_000);
  if (distanceMs === undefined) return undefined;
  return Object.freeze({ offsetMs: isNegative ? -distanceMs : distanceMs, isPrecise: isYes(attributes, 'PRECISE') });
}
