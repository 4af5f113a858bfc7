import type { PlaylistPosition, PlaylistView } from '../hls/playback.ts';
import { AppError } from '../util/errors.ts';

/** A parsed query; a parameter that is repeated gives a list. */
export type Query = Readonly<Record<string, string | string[] | undefined>>;

/** What the query of a media playlist asks for. */
export interface PlaylistDirectives {
  readonly view: PlaylistView;
  readonly position: PlaylistPosition | undefined;
  /** What is wrong with the directives. It counts only while the playlist is live: an ended one ignores them. */
  readonly fault: AppError | undefined;
}

/** A range of wall clock in ms since the Unix epoch. */
interface Span {
  readonly startMs: number;
  readonly endMs: number;
}

/** More digits than any number that a playlist can have. */
const WHOLE_NUMBER = /^\d{1,15}$/;

const DATE = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/;

/** Printable ASCII: whatever else it is, it cannot be told from an attack on a header or a playlist. */
const TOKEN = /^[!-~]{1,1024}$/;

/** Delivery directives (draft-pantos-hls-rfc8216bis, section 6.2.5) and `dvr=0`; parameters of others are left alone. */
export function readDirectives(query: Query): PlaylistDirectives {
  const window = query['dvr'] === '0' ? 'live' : 'dvr';
  try {
    const msn = wholeNumber(query, '_HLS_msn');
    const part = wholeNumber(query, '_HLS_part');
    const skip = single(query, '_HLS_skip');
    if (skip !== undefined && skip !== 'YES' && skip !== 'v2') throw badRequest('_HLS_skip', skip, 'YES or v2');
    if (msn === undefined && part !== undefined) {
      throw new AppError('BAD_REQUEST', '_HLS_part is of no use alone; send _HLS_msn with it');
    }
    const position = msn === undefined ? undefined : { msn, part };
    return { view: { window, skip: skip !== undefined }, position, fault: undefined };
  } catch (fault) {
    if (!(fault instanceof AppError)) throw fault;
    return { view: { window, skip: false }, position: undefined, fault };
  }
}

/**
 * The clip that is asked for, `undefined` if none is.
 * @throws AppError `BAD_REQUEST` unless both ends are dates.
 */
export function readClip(query: Query): Span | undefined {
  if (query['start'] === undefined && query['end'] === undefined) return undefined;
  return { startMs: date(query, 'start'), endMs: date(query, 'end') };
}

/**
 * The token that a proxy in front wants to see on every request, `undefined` without one.
 * @throws AppError `BAD_REQUEST` if it is too long, or not printable ASCII.
 */
export function readToken(query: Query): string | undefined {
  const token = single(query, 'token');
  if (token === undefined || TOKEN.test(token)) return token;
  throw new AppError('BAD_REQUEST', 'the token must be 1 to 1024 characters of printable ASCII');
}

function wholeNumber(query: Query, name: string): number | undefined {
  const value = single(query, name);
  if (value === undefined) return undefined;
  if (!WHOLE_NUMBER.test(value)) throw badRequest(name, value, 'a whole number that some playlist may reach');
  return Number(value);
}

function date(query: Query, name: string): number {
  // A "+" that was not encoded arrives as a space.
  const value = (single(query, name) ?? '').replace(' ', '+');
  const ms = DATE.test(value) ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms)) throw badRequest(name, value, 'a date with time and zone, e.g. 2026-12-31T23:59:59Z');
  return ms;
}

function single(query: Query, name: string): string | undefined {
  const value = query[name];
  if (Array.isArray(value)) throw new AppError('BAD_REQUEST', `${name} is given ${value.length} times; send it once`);
  return value;
}

function badRequest(name: string, value: string, wanted: string): AppError {
  return new AppError('BAD_REQUEST', `${name}=${JSON.stringify(value.slice(0, 50))} is not ${wanted}`);
}
