import { createHash } from 'node:crypto';
import { remoteUrl } from '../remote/remote-url.ts';
import type { FollowedPart, PlaylistSnapshot } from '../upstream/follow/playlist-snapshot.ts';
import type { UpstreamRendition } from '../upstream/follow/upstream-ladder.ts';
import type { Key } from '../upstream/playlist/key.ts';
import type { MediaItem } from '../upstream/pool/media-item.ts';
import { type FileType, fileTypeOf, KEY_TYPE } from './file-type.ts';

/** What a playlist names: media, an initialization section or a key. */
export interface PublishedFile {
  /** Its name in the folder of the rendition; never used for other bytes. */
  readonly name: string;
  /** Relative to the playlist, signed. */
  readonly uri: string;
  readonly type: FileType;
  /** The same bytes at their newest address. */
  readonly item: MediaItem;
}

interface KnownFile extends PublishedFile {
  item: MediaItem;
  /** Which playlist named it last, counted. */
  edition: number;
  /** Until when it can be asked for although no playlist names it any more, ms. */
  untilMs: number;
  /** The keys that go with it, by key format. */
  readonly keys: Map<string, KnownFile>;
}

/** Where something is in the timeline, and until when it should be known. */
interface Place {
  readonly name: string;
  readonly hasInit: boolean;
  readonly untilMs: number;
}

/** Files that are known although the newest playlist does not name them: no player can be so far behind. */
const MAX_UNLISTED = 2_000;

/** Gives what the playlists of a rendition name its names here, and knows them until nobody should ask for them any more. */
export class PublishedFiles {
  readonly #rendition: UpstreamRendition['kind'];
  readonly #uriOf: (name: string) => string;
  /** By the identity of their bytes. */
  readonly #byId = new Map<string, KnownFile>();
  readonly #byName = new Map<string, KnownFile>();
  /** Keys of the playlist at hand, by address. */
  #keysHere = new Map<string, KnownFile>();
  #edition = 0;

  /** @param uriOf gives a name's URI, relative to the playlist */
  constructor(rendition: UpstreamRendition['kind'], uriOf: (name: string) => string) {
    this.#rendition = rendition;
    this.#uriOf = uriOf;
  }

  /** How many files are known. */
  get size(): number {
    return this.#byName.size;
  }

  /** The file that a playlist has given this name; `undefined` if none has, or it is too long ago. */
  find(name: string): PublishedFile | undefined {
    return this.#byName.get(name);
  }

  /** URI of media that the playlist at hand names. */
  uriOf({ id }: MediaItem): string {
    return this.#byId.get(id)?.uri ?? '';
  }

  /** URI of the key that goes with media that the playlist at hand names. */
  keyUriOf({ id }: MediaItem, { keyFormat }: Key): string {
    return this.#byId.get(id)?.keys.get(keyFormat)?.uri ?? '';
  }

  /**
   * Takes all that a playlist names. What it does not name any more is known for as long again as the playlist and the
   * longest segment last (RFC 8216, section 6.2.2).
   */
  take(snapshot: PlaylistSnapshot, nowMs: number): void {
    const { segments, trailing, lowLatency } = snapshot;
    const recording = snapshot.isRecorded ? digestOf(snapshot) : undefined;
    const untilMs = nowMs + segments.reduce((sum, { segment }) => sum + segment.durationMs, snapshot.targetDurationMs);
    const placeOf = ({ era, number, init }: Pick<typeof trailing, 'era' | 'number' | 'init'>): Place => ({
      name: `${recording ?? era}-${number}`,
      ...{ hasInit: init !== undefined, untilMs },
    });
    this.#keysHere = new Map();
    this.#edition += 1;
    for (const followed of segments) {
      const { item, init, segment, parts } = followed;
      const place = placeOf(followed);
      if (init !== undefined && segment.map !== undefined) this.#takeInit(init, segment.map.key, place);
      this.#takeKeys(this.#take(item, place.name, place), segment.keys, place);
      this.#takeParts(parts, place);
    }
    if (lowLatency !== undefined) {
      const { init, head } = trailing;
      const { trailingParts, preloadHint } = lowLatency;
      const place = placeOf(trailing);
      if (init !== undefined && head.map !== undefined) this.#takeInit(init, head.map.key, place);
      const [first] = this.#takeParts(trailingParts, place);
      if (first !== undefined) this.#takeKeys(first, head.keys, place);
      if (preloadHint !== undefined) this.#take(preloadHint, `${place.name}.${trailingParts.length}`, place);
    }
    this.#forget(nowMs);
  }

  #takeInit(item: MediaItem, key: Key | undefined, place: Place): void {
    const file = this.#take(item, `${place.name}-init`, { ...place, hasInit: true });
    this.#takeKeys(file, key === undefined ? [] : [key], place);
  }

  #takeParts(parts: readonly FollowedPart[], place: Place): KnownFile[] {
    return parts.map(({ item }, index) => this.#take(item, `${place.name}.${index}`, place));
  }

  /** Keys are told apart by the media that they go with: their addresses may change with each playlist. */
  #takeKeys(owner: KnownFile, keys: readonly Key[], place: Place): void {
    for (const { uri, keyFormat } of keys) {
      if (uri === undefined) continue;
      const here = this.#keysHere.get(uri.href);
      const known = owner.keys.get(keyFormat) ?? here;
      if (known !== undefined && known === here) {
        owner.keys.set(keyFormat, known);
        continue;
      }
      const id = known?.item.id ?? `key ${keyFormat} ${owner.item.id}`;
      const item: MediaItem = { id, target: remoteUrl(uri), durationMs: 0, kind: 'key' };
      const file = this.#take(item, `${place.name}-key${owner.keys.size}`, place);
      owner.keys.set(keyFormat, file);
      this.#keysHere.set(uri.href, file);
    }
  }

  /** Knows a file by the name that it had first. */
  #take(item: MediaItem, wantedName: string, { hasInit, untilMs }: Place): KnownFile {
    const known = this.#byId.get(item.id);
    if (known !== undefined) {
      known.item = item;
      known.edition = this.#edition;
      known.untilMs = untilMs;
      return known;
    }
    const uri = item.target.url;
    const type = item.kind === 'key' ? KEY_TYPE : fileTypeOf({ uri, rendition: this.#rendition, hasInit });
    const name = this.#freeName(wantedName, type);
    const state = { edition: this.#edition, untilMs, keys: new Map<string, KnownFile>() };
    const file: KnownFile = { name, uri: this.#uriOf(name), type, item, ...state };
    this.#byId.set(item.id, file);
    this.#byName.set(name, file);
    return file;
  }

  #freeName(wanted: string, { extension }: FileType): string {
    let name = `${wanted}.${extension}`;
    for (let copy = 1; this.#byName.has(name); copy += 1) name = `${wanted}_${copy}.${extension}`;
    return name;
  }

  #forget(nowMs: number): void {
    const unlisted = [...this.#byId].filter(([, { edition }]) => edition !== this.#edition);
    const surplus = unlisted.length - MAX_UNLISTED;
    for (const [index, [id, { name, untilMs }]] of unlisted.entries()) {
      if (untilMs >= nowMs && index >= surplus) continue;
      this.#byId.delete(id);
      this.#byName.delete(name);
    }
  }
}

/** What a recording is called, whenever it is followed. */
function digestOf({ segments }: PlaylistSnapshot): string {
  const hash = createHash('sha256');
  for (const { segment } of segments) hash.update(`${segment.uri.pathname} ${segment.durationMs}\n`);
  return hash.digest('hex').slice(0, 12);
}
