/** A decimal-integer of up to `max` (RFC 8216, 4.2); `undefined` for anything else. */
export function integerFrom(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^\d{1,16}$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** A decimal-floating-point number of up to `max` (RFC 8216, 4.2); `undefined` for anything else. */
export function decimalFrom(text: string | undefined, max: number): number | undefined {
  if (text === undefined || !/^(?:\d{1,16}(?:\.\d{0,20})?|\.\d{1,20})$/.test(text)) return undefined;
  const value = Number(text);
  return value <= max ? value : undefined;
}

/** Seconds as milliseconds, to the microsecond; `undefined` for what is no number from 0 to `maxMs`. */
export function millisecondsFrom(text: string | undefined, maxMs: number): number | undefined {
  const seconds = decimalFrom(text, maxMs / 1_000);
  return seconds === undefined ? undefined : Math.round(seconds * 1_000_000) / 1_000;
}

/**
 * The time of EXT-X-PROGRAM-DATE-TIME (RFC 8216, 4.3.2.6), ms since 1970; one without a zone is taken for UTC. `undefined` if
 * it is none.
 */
export function dateTimeFrom(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:[.,](\d{1,12}))?(?:[Zz]|([+-]\d\d)(?::?(\d\d))?)?$/.exec(
    text,
  );
  if (match === null) return undefined;
  const [, date = '', time = '', fraction = '0', hours, minutes = '00'] = match;
  const wholeMs = Date.parse(`${date}T${time}${hours === undefined ? 'Z' : `${hours}:${minutes}`}`);
  if (Number.isNaN(wholeMs)) return undefined;
  return wholeMs + Math.round(Number(`0.${fraction}`) * 1_000_000) / 1_000;
}
