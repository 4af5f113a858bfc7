import type { FollowedPart, FollowedSegment, TrailingSegment } from '../upstream/follow/playlist-snapshot.ts';
import type { Key } from '../upstream/playlist/key.ts';
import type { SegmentHead } from '../upstream/playlist/segment.ts';
import type { MediaItem } from '../upstream/pool/media-item.ts';
import { KeyLines, type KeyPlace } from './key-lines.ts';
import { isHarmless, seconds } from './tag-text.ts';

/** The URIs, relative to the playlist, that media and keys have here. */
export interface RelayAddresses {
  uriOf(item: MediaItem): string;
  /** URI of the key that goes with media. */
  keyUriOf(owner: MediaItem, key: Key): string;
}

/** Writes the lines of segments, one after the other. */
export class SegmentLines {
  readonly lines: string[] = [];
  readonly #addresses: RelayAddresses;
  readonly #keys: KeyLines;
  #init: MediaItem | undefined;
  #bitrateKbps: number | undefined;

  constructor(addresses: RelayAddresses) {
    this.#addresses = addresses;
    this.#keys = new KeyLines((owner, key) => addresses.keyUriOf(owner, key));
  }

  /** A segment with all that concerns it; its parts only if they are wanted. */
  segment(followed: FollowedSegment, withParts: boolean): void {
    const { item, segment, parts } = followed;
    const { bitrateKbps, durationMs, title } = segment;
    this.#head(followed, segment, item);
    if (withParts) this.#parts(parts);
    if (bitrateKbps !== undefined && bitrateKbps !== this.#bitrateKbps) {
      this.lines.push(`#EXT-X-BITRATE:${bitrateKbps}`);
      this.#bitrateKbps = bitrateKbps;
    }
    if (segment.isGap) this.lines.push('#EXT-X-GAP');
    this.lines.push(`#EXTINF:${seconds(durationMs)},${isHarmless(title) ? title : ''}`, this.#addresses.uriOf(item));
  }

  /** The parts of a segment that is not whole yet. */
  trailing(trailing: TrailingSegment, parts: readonly FollowedPart[]): void {
    const [first] = parts;
    if (first === undefined) return;
    this.#head(trailing, trailing.head, first.item);
    this.#parts(parts);
  }

  #head(place: Omit<TrailingSegment, 'head'>, head: SegmentHead, owner: MediaItem): void {
    const { discontinuity, init, number } = place;
    const { lines } = this;
    const { sequence, map, keys, programDateTimeMs } = head;
    const keyPlace: KeyPlace = { owner, sequence, number };
    if (discontinuity) lines.push('#EXT-X-DISCONTINUITY');
    if (init !== undefined && (discontinuity || init.id !== this.#init?.id)) {
      // The key in force at an EXT-X-MAP is that of the initialization section (RFC 8216, section 4.3.2.5).
      const isSame = map?.key === undefined ? keys.length === 0 : keys.includes(map.key);
      const mapKeys = map?.key === undefined ? [] : [map.key];
      lines.push(
        ...(isSame ? this.#keys.change(keys, keyPlace) : this.#keys.change(mapKeys, { ...keyPlace, owner: init })),
      );
      lines.push(`#EXT-X-MAP:URI="${this.#addresses.uriOf(init)}"`);
    }
    this.#init = init;
    lines.push(...this.#keys.change(keys, keyPlace), ...head.otherTags.filter(isHarmless));
    if (programDateTimeMs !== undefined) {
      lines.push(`#EXT-X-PROGRAM-DATE-TIME:${new Date(programDateTimeMs).toISOString()}`);
    }
  }

  #parts(parts: readonly FollowedPart[]): void {
    for (const { item, part } of parts) {
      const flags = `${part.independent ? ',INDEPENDENT=YES' : ''}${part.gap ? ',GAP=YES' : ''}`;
      this.lines.push(`#EXT-X-PART:DURATION=${seconds(part.durationMs)},URI="${this.#addresses.uriOf(item)}"${flags}`);
    }
  }
}
