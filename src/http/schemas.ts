import { type Static, Type } from 'typebox';
import { RenditionSpec } from '../ladder/rendition.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });

/** Body of every error answer. */
export const ErrorReply = Type.Object({
  statusCode: Type.Integer(),
  error: Type.String({ description: 'Name of the HTTP status' }),
  code: Type.String({ description: 'Stable name of the failure, e.g. `CONFLICT`' }),
  message: Type.String({ description: 'What was wrong, and what to do' }),
});
export type ErrorReply = Static<typeof ErrorReply>;

/** A rung as REST shows it: its settings and the ladder that it is in. */
export const RenditionReply = Type.Intersect([
  Type.Object({ ladder: Type.String({ description: 'Name of the ladder file' }) }),
  Type.Object(RenditionSpec.properties),
]);
export type RenditionReply = Static<typeof RenditionReply>;

/** Which ladder is meant. */
export const LadderQuery = Type.Object(
  {
    ladder: Type.Optional(
      Type.String({ maxLength: 255, description: 'Ladder; needed only where several could be meant' }),
    ),
  },
  { additionalProperties: false },
);

/** Names a broadcast in a path. */
export const BroadcastParams = Type.Object({ app: Type.String(), name: Type.String() });

/** A track that the publisher sends. */
export const SourceTrackReply = Type.Object({
  track: Type.Union([Type.Literal('video'), Type.Literal('audio')]),
  codec: Type.String({ description: 'RFC 6381' }),
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
  frameRate: Type.Optional(Type.Number()),
  sampleRate: Type.Optional(Type.Integer({ description: 'Hz' })),
  channels: Type.Optional(Type.Integer()),
});
export type SourceTrackReply = Static<typeof SourceTrackReply>;

/** A rung of one broadcast as players get it. */
export const RungReply = Type.Object({
  name: Type.String(),
  state: Type.Union([Type.Literal('starting'), Type.Literal('playable'), Type.Literal('withheld')], {
    description: '`withheld`: packaged, but not offered to players',
  }),
  reason: Type.Optional(Type.String({ description: 'Why it is not playable' })),
  codecs: Type.Array(Type.String(), { description: 'RFC 6381' }),
  width: Type.Optional(Type.Integer()),
  height: Type.Optional(Type.Integer()),
  averageKbps: Type.Optional(Type.Number({ description: 'Measured' })),
  peakKbps: Type.Optional(Type.Number({ description: 'Measured over single segments' })),
  segments: Type.Optional(count('Segments in the playlist')),
});
export type RungReply = Static<typeof RungReply>;

/** Who publishes a broadcast. */
export const PublisherReply = Type.Object({
  protocol: Type.Union([Type.Literal('rtmp'), Type.Literal('rtmps'), Type.Literal('ws'), Type.Literal('pull')]),
  remote: Type.String({ description: 'Address' }),
  since: Type.String({ format: 'date-time' }),
  frames: count('Frames taken'),
  bytes: count('Bytes taken'),
  droppedFrames: count('Frames that were unusable'),
  epoch: count('Breaks of the timeline so far'),
});
export type PublisherReply = Static<typeof PublisherReply>;

/** A broadcast and all that belongs to it. */
export const BroadcastReply = Type.Object({
  name: Type.String({ description: '`app/name`' }),
  state: Type.Union([Type.Literal('live'), Type.Literal('waiting'), Type.Literal('ended')], {
    description: '`waiting`: its publisher has gone and may come back',
  }),
  waitingUntil: Type.Optional(Type.String({ format: 'date-time', description: 'When it ends unless one comes back' })),
  slate: Type.Optional(Type.Boolean({ description: 'Whether a still picture and silence go on while it waits' })),
  playlist: Type.String({ description: 'Path of the multivariant playlist' }),
  watch: Type.String({ description: 'Path of the watch page' }),
  viewers: count('Clients that asked for a playlist within the last seconds'),
  publisher: Type.Optional(PublisherReply),
  source: Type.Array(SourceTrackReply),
  renditions: Type.Array(RungReply),
  warnings: Type.Array(Type.String(), { description: 'What the streamer should change' }),
  archive: Type.Optional(Type.String({ description: 'Id of the recording that stays of it, once that is complete' })),
});
export type BroadcastReply = Static<typeof BroadcastReply>;

/** A broadcast that stayed after its end. */
export const ArchiveReply = Type.Object({
  id: Type.String(),
  broadcast: Type.String({ description: '`app/name`' }),
  startedAt: Type.String({ format: 'date-time', description: 'Wall clock of its first picture' }),
  durationMs: Type.Number({ minimum: 0 }),
  bytes: count('Media on disk'),
  renditions: Type.Array(Type.String()),
  playlist: Type.String({ description: 'Path of the multivariant playlist' }),
});
export type ArchiveReply = Static<typeof ArchiveReply>;

/** One (factory, rendition, broadcast, track) of the transcode runner. */
export const TranscodeReply = Type.Object({
  factory: Type.String(),
  rendition: Type.String(),
  broadcast: Type.String(),
  track: Type.Union([Type.Literal('video'), Type.Literal('audio')]),
  state: Type.Union(
    [
      Type.Literal('starting'),
      Type.Literal('running'),
      Type.Literal('backing-off'),
      Type.Literal('skipped'),
      Type.Literal('failed'),
      Type.Literal('ended'),
    ],
    { description: '`skipped`: the factory does not serve this source; `ended`: only the counters are left' },
  ),
  reason: Type.Optional(Type.String({ description: 'Why it is in that state' })),
  pid: Type.Optional(Type.Integer({ description: 'Process of the encoder' })),
  encoder: Type.Optional(Type.String()),
  fragmentsSeen: count('Fragments that the transcoder was given'),
  fragmentsOut: count('Fragments that it put out'),
  dropped: count('Fragments lost because it fell behind'),
  panics: Type.Object({ start: count(''), fragment: count(''), stop: count('') }),
  restarts: count('Restarts after a failure'),
  speed: Type.Optional(Type.Number({ description: 'Media time put out per wall time; 1 is real time' })),
  lagMs: Type.Optional(Type.Number({ description: 'Media time by which output trails input' })),
  bitrateKbps: Type.Optional(Type.Number({ description: 'Measured' })),
});
export type TranscodeReply = Static<typeof TranscodeReply>;

/** What is known of the encoders of this machine. */
export const EncodersReply = Type.Object({
  ffmpeg: Type.Object({ path: Type.String(), version: Type.String() }),
  encoders: Type.Array(
    Type.Object({
      name: Type.String({ description: 'As ffmpeg calls it' }),
      listed: Type.Boolean({ description: 'Whether ffmpeg was built with it' }),
      works: Type.Boolean({ description: 'Whether it really encoded some frames at start' }),
      reason: Type.String(),
    }),
  ),
});
export type EncodersReply = Static<typeof EncodersReply>;
