import type { Attributes, AttributeValue } from '../upstream/playlist/attribute-list.ts';

/** What names, or may name, something that players would fetch from elsewhere: that would not be relayed. */
const ADDRESS = /URI\s*=|X-ASSET|PREFETCH|:\/\//i;

/** Where some players end a line although RFC 8216, section 4.1, does not: what follows would be an address for them. */
const LINE_ENDS = /[\p{Cc}\p{Zl}\p{Zp}]/u;

/** What an attribute may be called (RFC 8216, section 4.2), in any case. */
const ATTRIBUTE_NAME = /^[A-Z0-9-]+$/i;

/** Tells whether a line of a source that nobody here understands may go on to players: it has no address in it. */
export function isHarmless(line: string): boolean {
  return !ADDRESS.test(line) && !LINE_ENDS.test(line);
}

/**
 * Writes an attribute list (RFC 8216, section 4.2) in its own order, without attributes that hold addresses or have no
 * proper name.
 * @param replaced text, in quotes where it needs them, of attributes that are others here; `undefined` leaves one out
 */
export function attributeList(
  attributes: Attributes,
  replaced: Readonly<Record<string, string | undefined>> = {},
): string {
  const texts = new Map<string, string | undefined>();
  for (const [name, value] of attributes) {
    if (Object.hasOwn(replaced, name) || !holdsAddress(name, value)) texts.set(name, textOf(value));
  }
  for (const [name, text] of Object.entries(replaced)) texts.set(name, text);
  return [...texts].flatMap(([name, text]) => (text === undefined ? [] : [`${name}=${text}`])).join(',');
}

/** A quoted string, which has neither quotes nor line ends (RFC 8216, section 4.2). */
export function quoted(text: string): string {
  return `"${text.replace(/["\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')}"`;
}

/** Seconds of a playlist, to the microsecond. */
export function seconds(ms: number): string {
  return String(Math.round(ms * 1_000) / 1_000_000);
}

function holdsAddress(name: string, { text }: AttributeValue): boolean {
  return !ATTRIBUTE_NAME.test(name) || /URI$/i.test(name) || (text.includes('://') && name !== 'NAME');
}

function textOf({ text, isQuoted }: AttributeValue): string {
  return isQuoted ? quoted(text) : text.replace(/[",\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ');
}
