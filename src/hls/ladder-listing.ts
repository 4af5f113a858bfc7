import { type AudioGroup, type MultivariantSnapshot, orderVariants } from './multivariant-playlist.ts';
import type { RenditionPackager } from './rendition-packager.ts';

/**
 * What the multivariant playlist of these renditions says. Audio of the rendition `sharedAudio` goes with all video that
 * has none of its own; it is a variant itself too, the last one, for those who only listen.
 */
export function listLadder(renditions: readonly RenditionPackager[], sharedAudio: string): MultivariantSnapshot {
  const playable = renditions.filter(({ state }) => state === 'playable');
  const shared = playable.find(({ name }) => name === sharedAudio);
  const withVideo = playable.filter(({ hasVideo }) => hasVideo);
  const audioOnly = playable.filter((rendition) => !rendition.hasVideo && rendition !== shared);
  const audioOf = (rendition: RenditionPackager): RenditionPackager | undefined =>
    rendition.audioGroup() === undefined ? shared : rendition;
  const listed = [...withVideo, ...audioOnly, ...(shared === undefined ? [] : [shared])];
  return {
    audioGroups: audioGroups(withVideo.map(audioOf)),
    variants: orderVariants(listed.map((rendition) => rendition.variant(audioOf(rendition)))),
  };
}

function audioGroups(renditions: readonly (RenditionPackager | undefined)[]): AudioGroup[] {
  return [...new Set(renditions)].map((rendition) => rendition?.audioGroup()).filter((group) => group !== undefined);
}
