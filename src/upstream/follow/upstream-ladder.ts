import { chooseVariant } from '../playlist/choose-variant.ts';
import type { MediaRendition, MultivariantPlaylist, Variant } from '../playlist/multivariant-playlist.ts';

/** A playlist of an upstream that can be followed. */
export interface UpstreamRendition {
  /** `v0`, `v1` ... for variants, `a0` ... for audio, `c0` ... for video, `s0` ... for subtitles, `i0` ... for I-frames. */
  readonly id: string;
  readonly kind: 'variant' | 'audio' | 'video' | 'subtitles' | 'iframes';
  /** `undefined` if the upstream is this one playlist. */
  readonly variant: Variant | undefined;
  readonly media: MediaRendition | undefined;
}

/** What an upstream offers; stays the same whatever address is used later. */
export interface UpstreamLadder {
  /** `undefined` if the upstream is one playlist of segments. */
  readonly playlist: MultivariantPlaylist | undefined;
  /** In the order of the playlist. Entries with the same address share an id. */
  readonly renditions: readonly UpstreamRendition[];
}

const LETTERS = { variant: 'v', audio: 'a', video: 'c', subtitles: 's', iframes: 'i' } as const;

/** @param playlist left out for an upstream that is one playlist of segments */
export function ladderOf(playlist?: MultivariantPlaylist): UpstreamLadder {
  if (playlist === undefined) {
    const only: UpstreamRendition = { id: 'v0', kind: 'variant', variant: undefined, media: undefined };
    return Object.freeze({ playlist, renditions: Object.freeze([Object.freeze(only)]) });
  }
  const ids = new Ids();
  const renditions: UpstreamRendition[] = [];
  const add = (kind: UpstreamRendition['kind'], variant?: Variant, media?: MediaRendition): void => {
    const uri = (variant ?? media)?.uri;
    if (uri !== undefined) renditions.push(Object.freeze({ id: ids.of(kind, uri), kind, variant, media }));
  };
  for (const variant of playlist.variants) add('variant', variant);
  for (const media of playlist.media) if (media.type !== 'closed-captions') add(media.type, undefined, media);
  for (const variant of playlist.iFrames) add('iframes', variant);
  return Object.freeze({ playlist, renditions: Object.freeze(renditions) });
}

/**
 * Where the playlist of a rendition is according to another multivariant playlist of the same upstream: the entry whose
 * attributes are the same, else the one that comes nearest; `undefined` if there is none of its kind.
 */
export function uriOf({ kind, variant, media }: UpstreamRendition, playlist: MultivariantPlaylist): URL | undefined {
  if (kind === 'iframes') return nearestVariant(variant, playlist.iFrames)?.uri;
  if (kind !== 'variant') return media && sameMedia(media, playlist.media)?.uri;
  if (variant === undefined) return chooseVariant(playlist).variant.uri;
  return nearestVariant(variant, playlist.variants)?.uri;
}

class Ids {
  readonly #ids = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  of(kind: UpstreamRendition['kind'], uri: URL): string {
    const key = `${kind} ${uri.href}`;
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const count = this.#counts.get(kind) ?? 0;
    this.#counts.set(kind, count + 1);
    const id = `${LETTERS[kind]}${count}`;
    this.#ids.set(key, id);
    return id;
  }
}

function nearestVariant(wanted: Variant | undefined, variants: readonly Variant[]): Variant | undefined {
  if (wanted === undefined) return variants[0];
  const distance = (variant: Variant): number[] => [
    Number(pictureOf(variant) !== pictureOf(wanted)),
    Math.abs(variant.bandwidth - wanted.bandwidth),
    Number(variant.codecs.join() !== wanted.codecs.join()),
    Number(variant.audioGroup !== wanted.audioGroup),
  ];
  return nearest(variants, distance);
}

function sameMedia(wanted: MediaRendition, media: readonly MediaRendition[]): MediaRendition | undefined {
  const candidates = media.filter(({ type, uri }) => type === wanted.type && uri !== undefined);
  return nearest(candidates, (one) => [
    Number(one.language !== wanted.language),
    Number(one.name !== wanted.name),
    Number(one.groupId !== wanted.groupId),
    Number(one.channels !== wanted.channels),
    Number(one.isDefault !== wanted.isDefault),
  ]);
}

/** The one whose distances are smallest, the first distance counting most; the first of equal ones. */
function nearest<T>(candidates: readonly T[], distances: (candidate: T) => number[]): T | undefined {
  const measured = candidates.map((candidate) => ({ candidate, values: distances(candidate) }));
  measured.sort((one, other) => {
    const at = one.values.findIndex((value, index) => value !== other.values[index]);
    return at < 0 ? 0 : (one.values[at] ?? 0) - (other.values[at] ?? 0);
  });
  return measured[0]?.candidate;
}

function pictureOf({ resolution }: Variant): string {
  return resolution === undefined ? '' : `${resolution.width}x${resolution.height}`;
}
