import { type Attributes, parseAttributes, textOf } from './attribute-list.ts';
import { PLAYLIST_LIMITS } from './limits.ts';
import { badLine, type Line } from './playlist-text.ts';

const VARIABLE_NAME = /^[A-Za-z0-9_-]{1,100}$/;

/** What lines of one playlist are read with: its address, and the variables that it has defined so far. */
export class PlaylistScope {
  readonly #base: URL;
  readonly #imports: ReadonlyMap<string, string>;
  readonly #variables = new Map<string, string>();
  #addressChars = 0;
  #substitutedChars = 0;
  #latest: { readonly text: string; readonly url: URL } | undefined;

  /** @param imports variables of the multivariant playlist that names this one */
  constructor(base: URL, imports: ReadonlyMap<string, string> = new Map()) {
    this.#base = base;
    this.#imports = imports;
  }

  /** All variables that were defined, by name. */
  get variables(): ReadonlyMap<string, string> {
    return this.#variables;
  }

  /** The attributes of a tag, variables put in. @throws AppError `BAD_MEDIA` if they are none */
  attributes(line: Line): Attributes {
    return parseAttributes(line, valueOf(line), (text) => this.substitute(line, text));
  }

  /** Takes EXT-X-DEFINE (RFC 8216bis, 4.4.2.3). @throws AppError `BAD_MEDIA` if it defines nothing, or anew */
  define(line: Line): void {
    const attributes = parseAttributes(line, valueOf(line), (text) => this.substitute(line, text));
    const [name, value] = this.#definition(attributes);
    if (name === undefined || value === undefined || !VARIABLE_NAME.test(name) || this.#variables.has(name)) {
      throw badLine(line, 'defines no variable, one without a value, or one that is defined already');
    }
    if (this.#variables.size === PLAYLIST_LIMITS.listed) {
      throw badLine(line, `defines more than ${PLAYLIST_LIMITS.listed} variables`);
    }
    this.#variables.set(name, value);
  }

  /**
   * Puts variables (`{$name}`) into a text, if the playlist has defined some.
   * @throws AppError `BAD_MEDIA` for one that is not defined, and if the text gets too long
   */
  substitute(line: Line, text: string): string {
    if (this.#variables.size === 0 || !text.includes('{$')) return text;
    let result = '';
    for (let at = 0; at < text.length;) {
      const open = text.indexOf('{$', at);
      const close = open < 0 ? -1 : text.indexOf('}', open);
      const value = close < 0 ? undefined : this.#valueOf(line, text.slice(open + 2, close));
      result += value === undefined ? text.slice(at) : text.slice(at, open) + value;
      at = value === undefined ? text.length : close + 1;
      if (result.length > PLAYLIST_LIMITS.lineChars) {
        throw badLine(line, `has more than ${PLAYLIST_LIMITS.lineChars} characters with its variables`);
      }
    }
    this.#substitutedChars += result.length;
    if (this.#substitutedChars > PLAYLIST_LIMITS.bytes) throw badLine(line, 'makes the playlist too long by variables');
    return result;
  }

  /**
   * The absolute http(s) address of a text that has its variables already.
   * @throws AppError `BAD_MEDIA` for another one, or when all addresses together get too long
   */
  resolve(line: Line, text: string): URL {
    // Segments that are parts of one file name it again and again.
    if (this.#latest?.text === text) return this.#latest.url;
    const url = this.#parse(line, text);
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      throw badLine(line, `holds an address with "${url.protocol.slice(0, 20)}"; only http and https are fetched`);
    }
    this.#addressChars += url.href.length;
    if (this.#addressChars > PLAYLIST_LIMITS.addressChars) throw badLine(line, 'makes all addresses together too long');
    this.#latest = { text, url };
    return url;
  }

  /** The absolute http(s) address that an attribute holds; `undefined` if it is not there or empty. Errors as `resolve`. */
  uriOf(line: Line, attributes: Attributes, name = 'URI'): URL | undefined {
    const text = textOf(attributes, name);
    return text === undefined ? undefined : this.resolve(line, text);
  }

  #parse(line: Line, text: string): URL {
    try {
      return new URL(text, this.#base.href);
    } catch {
      throw badLine(line, 'holds an address that is none');
    }
  }

  #definition(attributes: Attributes): [string | undefined, string | undefined] {
    const imported = textOf(attributes, 'IMPORT');
    if (imported !== undefined) return [imported, this.#imports.get(imported)];
    const parameter = textOf(attributes, 'QUERYPARAM');
    if (parameter !== undefined) return [parameter, this.#base.searchParams.get(parameter) ?? undefined];
    return [textOf(attributes, 'NAME'), attributes.get('VALUE')?.text];
  }

  #valueOf(line: Line, name: string): string {
    const value = this.#variables.get(name);
    if (value === undefined) throw badLine(line, 'uses a variable that is not defined before it');
    return value;
  }
}

/** The name of a tag, without `#`; `undefined` for an address. */
export function tagOf({ text }: Line): string | undefined {
  if (!text.startsWith('#')) return undefined;
  const colon = text.indexOf(':');
  return text.slice(1, colon < 0 ? text.length : colon);
}

/** What comes after the name of a tag. */
export function valueOf({ text }: Line): string {
  const colon = text.indexOf(':');
  return colon < 0 ? '' : text.slice(colon + 1).trim();
}
