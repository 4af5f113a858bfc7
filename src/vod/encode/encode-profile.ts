import { createHash } from 'node:crypto';
import type { EncodeProfile } from '../../cache/encode-profile.ts';
import type { FfmpegBinary } from '../../ffmpeg/ffmpeg-binary.ts';
import type { Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import { headCommand } from './head-command.ts';

/** Counts the ways in which this program has packed segments: another way must not meet segments of this one. */
const PACKING_VERSION = 1;
/** Segments that stand in for those of any head. */
const TEMPLATE_PLAN = { boundaries: [0, 90_000, 180_000], keyframes: undefined, atKeyframes: false };

/** What decides the bytes of a rendition's segments: the cache keeps what was made under one profile together. */
export function encodeProfile(title: Title, rendition: VodRendition, binary: FfmpegBinary): EncodeProfile {
  const { source, startTicks, plan } = title;
  const anyHead = { ...title, startTicks: 0, plan: TEMPLATE_PLAN };
  const command = headCommand({ title: anyHead, rendition, first: 1, end: 2, careful: false });
  const places = createHash('sha256')
    .update(JSON.stringify([startTicks, plan.boundaries]))
    .digest('hex');
  const encoder = rendition.kind === 'video' ? (rendition.encoder?.name ?? 'copy') : rendition.mode;
  return {
    source: source.identity,
    ...(source.path !== undefined && { place: source.path }),
    sourceLabel: source.label,
    quality: rendition.name,
    audioIndex: rendition.kind === 'audio' ? rendition.trackIndex : -1,
    encoder: `ffmpeg ${binary.version} ${encoder}`,
    template: JSON.stringify([PACKING_VERSION, command.input, command.output, places]),
  };
}
