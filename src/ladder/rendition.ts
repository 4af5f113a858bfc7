import { type Static, Type } from 'typebox';

/** Characters that a rendition's name may have: it is part of URLs, keys and metric labels. */
export const RENDITION_NAME_PATTERN = '^[a-z0-9][a-z0-9_-]{0,31}$';

/** Names that the program itself uses as renditions. */
export const RESERVED_RENDITION_NAMES: readonly string[] = Object.freeze(['source', 'audio']);

/** One rung of a ladder, as in a ladder file and in `POST /api/v1/renditions`. Bitrates are kbit/s, sizes pixels. */
export const RenditionSpec = Type.Object(
  {
    name: Type.String({ pattern: RENDITION_NAME_PATTERN, description: 'Unique in its ladder; part of URLs' }),
    factory: Type.Optional(
      Type.Union([Type.Literal('ffmpeg'), Type.Literal('passthrough')], {
        default: 'ffmpeg',
        description: '`passthrough` serves the publisher’s video untouched, `ffmpeg` encodes',
      }),
    ),
    width: Type.Optional(
      Type.Integer({ minimum: 16, maximum: 7680, description: 'Bounding box; left out for audio-only' }),
    ),
    height: Type.Optional(Type.Integer({ minimum: 16, maximum: 4320 })),
    videoBitrateKbps: Type.Optional(Type.Integer({ minimum: 16, maximum: 200_000 })),
    audioBitrateKbps: Type.Optional(Type.Integer({ minimum: 8, maximum: 1_024, default: 128 })),
    audio: Type.Optional(
      Type.Union([Type.Literal('shared'), Type.Literal('own')], {
        default: 'shared',
        description: '`own` encodes a separate audio rendition at this rung’s bitrate',
      }),
    ),
    maxFrameRate: Type.Optional(
      Type.Number({ minimum: 1, maximum: 240, description: 'Frames are left out above it, e.g. 60 → 30' }),
    ),
    profile: Type.Optional(Type.Union([Type.Literal('high'), Type.Literal('main'), Type.Literal('baseline')])),
    encoder: Type.Optional(
      Type.String({
        pattern: '^[a-z0-9_]{1,32}$',
        description: '`auto` or an ffmpeg H.264 encoder, e.g. `h264_nvenc`',
      }),
    ),
    softwareFallback: Type.Optional(
      Type.Boolean({ default: true, description: 'Whether libx264 may stand in for an encoder that does not open' }),
    ),
    preset: Type.Optional(Type.String({ pattern: '^[a-z0-9]{1,16}$', description: 'libx264 preset' })),
  },
  { additionalProperties: false },
);
export type RenditionSpec = Static<typeof RenditionSpec>;

/** The factory that a spec asks for. */
export function factoryOf(spec: RenditionSpec): 'ffmpeg' | 'passthrough' {
  return spec.factory ?? 'ffmpeg';
}

/** True if the rung carries no video. */
export function isAudioOnly(spec: RenditionSpec): boolean {
  return factoryOf(spec) === 'ffmpeg' && spec.width === undefined && spec.height === undefined;
}
