import { PLAYLIST_LIMITS } from './limits.ts';
import { badLine, type Line } from './playlist-text.ts';

/** A value of an attribute list, variables put in. */
export interface AttributeValue {
  /** Without the quotes. */
  readonly text: string;
  readonly isQuoted: boolean;
}

/** The attributes of a tag by name (RFC 8216, 4.2), in their order; of equal names the first counts. */
export type Attributes = ReadonlyMap<string, AttributeValue>;

/**
 * Reads an attribute list in one pass.
 * @param substitute puts variables into a value
 * @throws AppError `BAD_MEDIA` for what is none
 */
export function parseAttributes(line: Line, list: string, substitute: (text: string) => string): Attributes {
  const attributes = new Map<string, AttributeValue>();
  for (let at = 0; at < list.length;) {
    const comma = list.indexOf(',', at);
    const equals = list.indexOf('=', at);
    if (equals < 0 || (comma >= 0 && comma < equals)) {
      const end = comma < 0 ? list.length : comma;
      if (list.slice(at, end).trim() !== '') throw badLine(line, 'has an attribute without a value');
      at = end + 1;
      continue;
    }
    const name = list.slice(at, equals).trim();
    const isQuoted = list[equals + 1] === '"';
    const from = equals + (isQuoted ? 2 : 1);
    const until = isQuoted ? list.indexOf('"', from) : indexOrEnd(list, ',', from);
    if (until < 0) throw badLine(line, 'has a quoted string that does not end');
    const raw = list.slice(from, until);
    if (!attributes.has(name)) attributes.set(name, { text: substitute(isQuoted ? raw : raw.trim()), isQuoted });
    if (attributes.size > PLAYLIST_LIMITS.attributesPerTag) {
      throw badLine(line, `has more than ${PLAYLIST_LIMITS.attributesPerTag} attributes`);
    }
    at = indexOrEnd(list, ',', until) + 1;
  }
  return attributes;
}

/** The text of an attribute; `undefined` if it is not there or empty. */
export function textOf(attributes: Attributes, name: string): string | undefined {
  const text = attributes.get(name)?.text;
  return text === '' ? undefined : text;
}

/** Whether an attribute says `YES`. */
export function isYes(attributes: Attributes, name: string): boolean {
  return attributes.get(name)?.text === 'YES';
}

function indexOrEnd(text: string, wanted: string, from: number): number {
  const at = text.indexOf(wanted, from);
  return at < 0 ? text.length : at;
}
