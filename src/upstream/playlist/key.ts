import { type Attributes, textOf } from './attribute-list.ts';
import { PLAYLIST_LIMITS } from './limits.ts';
import type { PlaylistScope } from './playlist-scope.ts';
import { badLine, type Line } from './playlist-text.ts';

const IDENTITY = 'identity';
/** Schemes of DRM systems, which players understand and nobody fetches. */
const UNFETCHED = /^(?:skd|data|urn):/i;
const IV = /^0[xX][0-9a-fA-F]{1,32}$/;

/** How media is encrypted: EXT-X-KEY or EXT-X-SESSION-KEY (RFC 8216, 4.3.2.4). */
export interface Key {
  /** `AES-128`, `SAMPLE-AES`, or what else it says; never `NONE`. */
  readonly method: string;
  /** Where the key is; `undefined` for an address that is not fetched (`skd:`, `data:`, `urn:`), see the attributes. */
  readonly uri: URL | undefined;
  /** 16 bytes; `undefined` if the segment's own media sequence number is meant. */
  readonly iv: Buffer | undefined;
  /** `identity` for the key itself, else the name of a DRM system. */
  readonly keyFormat: string;
  readonly attributes: Attributes;
}

/** Reads a key; `undefined` for METHOD=NONE. @throws AppError `BAD_MEDIA` if it is none */
export function parseKey(line: Line, scope: PlaylistScope): Key | undefined {
  const attributes = scope.attributes(line);
  const method = textOf(attributes, 'METHOD');
  if (method === undefined) throw badLine(line, 'is a key without METHOD');
  if (method === 'NONE') return undefined;
  const isFetched = !UNFETCHED.test(textOf(attributes, 'URI') ?? '');
  const uri = isFetched ? scope.uriOf(line, attributes) : undefined;
  if (uri === undefined && isFetched) throw badLine(line, 'is a key without URI');
  const ivText = textOf(attributes, 'IV');
  if (ivText !== undefined && !IV.test(ivText)) throw badLine(line, 'is a key whose IV is no number of 128 bits');
  const iv = ivText === undefined ? undefined : Buffer.from(ivText.slice(2).padStart(32, '0'), 'hex');
  return Object.freeze({ method, uri, iv, keyFormat: textOf(attributes, 'KEYFORMAT') ?? IDENTITY, attributes });
}

/** The keys that are in force while a playlist is read: one for each key format. */
export class KeysInForce {
  #keys: readonly Key[] = Object.freeze([]);
  #first: Key | undefined;

  /** Never changed afterwards. */
  get all(): readonly Key[] {
    return this.#keys;
  }

  /** The key itself if there is one, else that of the first DRM system; `undefined` if nothing is encrypted. */
  get first(): Key | undefined {
    return this.#first;
  }

  /** Takes the next key of the playlist, or `undefined` for METHOD=NONE. */
  take(line: Line, key: Key | undefined): void {
    const others = key === undefined ? [] : this.#keys.filter(({ keyFormat }) => keyFormat !== key.keyFormat);
    this.#keys = Object.freeze(key === undefined ? [] : [...others, key]);
    this.#first = this.#keys.find(({ keyFormat }) => keyFormat === IDENTITY) ?? this.#keys[0];
    if (this.#keys.length > PLAYLIST_LIMITS.keysInForce) {
      throw badLine(line, `puts more than ${PLAYLIST_LIMITS.keysInForce} keys in force`);
    }
  }
}
