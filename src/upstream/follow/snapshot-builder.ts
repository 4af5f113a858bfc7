import { type RemoteUrl, remoteUrl } from '../../remote/remote-url.ts';
import type { MediaPlaylist } from '../playlist/media-playlist.ts';
import type { MediaMap, Part, Segment } from '../playlist/segment.ts';
import type { MediaItem, MediaKind } from '../pool/media-item.ts';
import type { Continuity } from './continuity.ts';
import type { KnownSegment } from './known-segment.ts';
import type {
  FollowedPart,
  FollowedSegment,
  LowLatency,
  PlaylistSnapshot,
  TrailingSegment,
} from './playlist-snapshot.ts';

/** What has an address. */
interface Located {
  readonly uri: URL;
  readonly byteRange: Segment['byteRange'];
}

/** A part that is hinted at. */
type Hint = Pick<Part, 'uri' | 'byteRange' | 'durationMs'>;

/** Makes snapshots: whatever can be asked for gets an id that stays its own, and the address that upstream gave last. */
export class SnapshotBuilder {
  readonly #prefix: string;
  #version = -1;
  #isRecorded: boolean | undefined;
  /** Those of the last snapshot, by id. */
  #items: ReadonlyMap<string, MediaItem> = new Map();
  #hints: ReadonlyMap<string, string> = new Map();
  #hintCount = 0;

  /** @param prefix begins the id of each item; nothing else has the same one, ever */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Whether the playlist had its end when it was first loaded; undefined before that. */
  get isRecorded(): boolean | undefined {
    return this.#isRecorded;
  }

  /** Looks anew whether the playlist is a recording. */
  begin(): void {
    this.#isRecorded = undefined;
  }

  /** What has this id in the last snapshot, with its newest address. */
  item(id: string): MediaItem | undefined {
    return this.#items.get(id);
  }

  /** The next snapshot. */
  build(continuity: Continuity, playlist: MediaPlaylist, { ended }: { ended: boolean }): PlaylistSnapshot {
    const maker = new ItemMaker(this.#prefix, this.#items, this.#hints);
    const segments = continuity.segments.map((known) => maker.segment(known));
    const place = continuity.trailing(playlist);
    const { trailing: head, targetDurationMs } = playlist;
    const trailing: TrailingSegment = Object.freeze({ ...place, init: maker.init(place.era, head.map), head });
    const lowLatency = lowLatencyOf(playlist, trailing, maker, () => this.#hintCount++);
    const [first] = segments;
    this.#items = maker.items;
    this.#hints = maker.hints;
    this.#version += 1;
    this.#isRecorded ??= isOver(playlist);
    return Object.freeze({
      ...{ version: this.#version, targetDurationMs, ended, isRecorded: this.#isRecorded },
      firstNumber: first?.number ?? trailing.number,
      discontinuitySequence: breaksBefore(first ?? trailing),
      ...{ segments: Object.freeze(segments), trailing, playlist, lowLatency },
    });
  }
}

/** Whether nothing will be added to a playlist any more. */
export function isOver({ ended, type }: MediaPlaylist): boolean {
  return ended || type === 'vod';
}

/** Breaks that are not told by a tag before the segment itself. */
function breaksBefore({ discontinuitySequence, discontinuity }: TrailingSegment | FollowedSegment): number {
  return Math.max(0, discontinuitySequence - (discontinuity ? 1 : 0));
}

function lowLatencyOf(
  { serverControl, partTargetMs, trailingParts: parts, preloadHint: hint, renditionReports, segments }: MediaPlaylist,
  trailing: TrailingSegment,
  maker: ItemMaker,
  count: () => number,
): LowLatency | undefined {
  if (serverControl === undefined || partTargetMs === undefined) return undefined;
  const arePartsOfFiles = [...parts, ...(segments.at(-1)?.parts ?? [])].some(
    ({ byteRange }) => byteRange !== undefined,
  );
  // A hint for the rest of a file would be answered with more than its part.
  const isWhole = hint?.byteRange === undefined ? !arePartsOfFiles : hint.byteRange.length !== undefined;
  const trailingParts = maker.parts({ era: trailing.era, number: trailing.number }, parts);
  const preloadHint =
    hint !== undefined && isWhole
      ? maker.hint({ ...hint, byteRange: rangeOf(hint.byteRange), durationMs: partTargetMs }, count)
      : undefined;
  return Object.freeze({ serverControl, partTargetMs, renditionReports, trailingParts, preloadHint });
}

function rangeOf(range: { offset: number; length: number | undefined } | undefined): Segment['byteRange'] {
  return range?.length === undefined ? undefined : { offset: range.offset, length: range.length };
}

/** Makes the items of one snapshot, taking those of the one before it where nothing has changed. */
class ItemMaker {
  readonly #prefix: string;
  readonly #before: ReadonlyMap<string, MediaItem>;
  readonly #hintsBefore: ReadonlyMap<string, string>;
  /** By id. */
  readonly items = new Map<string, MediaItem>();
  /** Names of parts that were or are hinted at, by where they are; those of other parts are told by their places. */
  readonly hints = new Map<string, string>();

  constructor(prefix: string, before: ReadonlyMap<string, MediaItem>, hintsBefore: ReadonlyMap<string, string>) {
    this.#prefix = prefix;
    this.#before = before;
    this.#hintsBefore = hintsBefore;
  }

  segment(known: KnownSegment): FollowedSegment {
    const { number, era, discontinuity, discontinuitySequence, segment } = known;
    return Object.freeze({
      ...{ number, era, discontinuity, discontinuitySequence, segment },
      item: this.#item(`${era}-${number}`, 'segment', segment.durationMs, segment),
      init: this.init(era, segment.map),
      parts: this.parts(known, segment.parts),
    });
  }

  init(era: number, map: MediaMap | undefined): MediaItem | undefined {
    return map && this.#item(`${era}-init`, 'init', 0, map);
  }

  parts(of: { era: number; number: number }, parts: readonly Part[]): readonly FollowedPart[] {
    return parts.length === 0 ? NO_PARTS : Object.freeze(parts.map((part, index) => this.#part(of, part, index)));
  }

  /** Which segment a part belongs to that is hinted at shows only when it is listed. */
  hint(part: Hint, count: () => number): MediaItem {
    const place = placeOf(part);
    const name = this.#hintsBefore.get(place) ?? `hint-${count()}`;
    this.hints.set(place, name);
    return this.#item(name, 'part', part.durationMs, part);
  }

  #part({ era, number }: { era: number; number: number }, part: Part, index: number): FollowedPart {
    const place = placeOf(part);
    const hinted = this.#hintsBefore.get(place);
    if (hinted !== undefined) this.hints.set(place, hinted);
    const name = hinted ?? `${era}-${number}.${index}`;
    return Object.freeze({ item: this.#item(name, 'part', part.durationMs, part), part });
  }

  #item(name: string, kind: MediaKind, durationMs: number, { uri, byteRange }: Located): MediaItem {
    const id = `${this.#prefix}/${name}`;
    const made = this.items.get(id);
    // All segments of an era share the newest address of its initialization section.
    if (made?.target.url.href === uri.href) return made;
    const before = this.#before.get(id)?.target;
    const target: RemoteUrl = before?.url.href === uri.href ? before : remoteUrl(uri);
    const item = Object.freeze({ id, target, byteRange, durationMs, kind });
    this.items.set(id, item);
    return item;
  }
}

/** With its query, which alone may tell parts apart. */
function placeOf({ uri, byteRange }: Located): string {
  return `${uri.href} ${byteRange?.offset ?? ''}`;
}

const NO_PARTS: readonly FollowedPart[] = Object.freeze([]);
