import type { Key } from '../upstream/playlist/key.ts';
import type { MediaItem } from '../upstream/pool/media-item.ts';
import { attributeList, quoted } from './tag-text.ts';

/** What keys are written for. */
export interface KeyPlace {
  /** The media that they go with. */
  readonly owner: MediaItem;
  /** Upstream's media sequence number of it: the IV of keys that have none (RFC 8216, section 5.2). */
  readonly sequence: number;
  /** Our own media sequence number. */
  readonly number: number;
}

const NO_KEY = '#EXT-X-KEY:METHOD=NONE';

/** Writes EXT-X-KEY lines wherever other keys come into force than those before (RFC 8216, section 4.3.2.4). */
export class KeyLines {
  readonly #keyUriOf: (owner: MediaItem, key: Key) => string;
  #keys: readonly Key[] = [];
  /** Lines of the keys in force that are the same wherever they are. */
  #lines: ReadonlyMap<Key, string> = new Map();
  /** By key format. */
  #inForce = new Map<string, string>();

  /** @param keyUriOf the URI that a key has here */
  constructor(keyUriOf: (owner: MediaItem, key: Key) => string) {
    this.#keyUriOf = keyUriOf;
  }

  /** The lines, if any, that put these keys, and no other, into force. */
  change(keys: readonly Key[], place: KeyPlace): string[] {
    // The same list for all segments that it is in force for, of which there may be thousands.
    if (keys === this.#keys && !keys.some((key) => needsSequence(key, place))) return [];
    this.#keys = keys;
    const known = this.#lines;
    const lines = new Map(
      keys.map((key) => [key, (needsSequence(key, place) ? undefined : known.get(key)) ?? this.#line(key, place)]),
    );
    this.#lines = new Map([...lines].filter(([key]) => !needsSequence(key, place)));
    const wanted = new Map([...lines].map(([key, line]) => [key.keyFormat, line]));
    const inForce = this.#inForce;
    this.#inForce = wanted;
    // A key is replaced only by another one of its format, or together with all others.
    if ([...inForce.keys()].some((format) => !wanted.has(format))) return [NO_KEY, ...wanted.values()];
    return [...wanted].flatMap(([format, line]) => (inForce.get(format) === line ? [] : [line]));
  }

  #line(key: Key, place: KeyPlace): string {
    const { attributes, uri } = key;
    const { owner, sequence } = place;
    const given = attributes.get('URI')?.text ?? '';
    return `#EXT-X-KEY:${attributeList(attributes, {
      URI: quoted(uri === undefined ? given : this.#keyUriOf(owner, key)),
      ...(needsSequence(key, place) && { IV: `0x${sequence.toString(16).padStart(32, '0')}` }),
    })}`;
  }
}

/** Whether the IV is to be told because it is upstream's number of the segment, and that is another one here. */
function needsSequence({ iv, keyFormat }: Key, { sequence, number }: KeyPlace): boolean {
  return iv === undefined && keyFormat === 'identity' && sequence !== number;
}
