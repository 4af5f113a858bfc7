import { Type } from 'typebox';
import type { MediaListing } from '../vod/source/media-listing.ts';
import type { SessionProgress, SessionView } from '../vod/session/session-view.ts';

const count = (description: string) => Type.Integer({ minimum: 0, description });

const text = (description: string) => Type.String({ description });

/** What is to be played, and how. */
export const SessionBody = Type.Object(
  {
    source: Type.String({
      minLength: 1,
      maxLength: 4096,
      description:
        'A file below a media root, as GET /api/v1/media names it, or the http(s) URL of a file or of an HLS playlist with an end',
    }),
    audio: Type.Optional(count('Index of the sound that plays unless the viewer changes it')),
    subtitles: Type.Optional(
      Type.Union([
        Type.Literal('off'),
        count('Index of the text track that is on from the start'),
        Type.Object({ burn: count('Index of the picture track that becomes part of the video') }, strict()),
      ]),
    ),
    user: Type.Optional(Type.String({ minLength: 1, maxLength: 200, description: 'Whose session it is, for limits' })),
    positionMs: Type.Optional(count('Where to go on; left out: where the session was')),
    fill: Type.Optional(Type.Boolean({ description: 'Encode all that is missing, whether anybody watches or not' })),
  },
  strict(),
);

const Languages = {
  language: Type.Optional(text('BCP 47')),
  title: Type.Optional(Type.String()),
};

/** A session. */
export const SessionReply = Type.Unsafe<SessionView>(
  Type.Object({
    id: text('Whoever knows it may play'),
    source: text('Without credentials and query'),
    user: Type.Optional(Type.String()),
    state: Type.Union([Type.Literal('active'), Type.Literal('idle')], {
      description: '`idle`: nothing is encoded for it; the next request wakes it up',
    }),
    playlist: text('Path of the multivariant playlist'),
    watch: text('Path of the watch page'),
    durationMs: count(''),
    positionMs: count('Where its player was last'),
    startedAt: Type.String({ format: 'date-time' }),
    seenAt: Type.String({ format: 'date-time', description: 'Last request' }),
    video: Type.Optional(
      Type.Object(
        {
          ...{ codec: Type.String(), width: count(''), height: count(''), frameRate: Type.Number() },
          copyObjection: Type.Optional(text('Why its frames cannot be served as they are')),
        },
        strict(),
      ),
    ),
    audio: Type.Optional(
      Type.Array(Type.Object({ index: count(''), codec: Type.String(), channels: count(''), ...Languages }, strict())),
    ),
    subtitles: Type.Optional(
      Type.Array(
        Type.Object(
          {
            ...{ index: count(''), codec: Type.String(), isForced: Type.Boolean(), ...Languages },
            kind: Type.Union([Type.Literal('text'), Type.Literal('picture')]),
            failure: Type.Optional(text('Why it cannot be shown')),
          },
          strict(),
        ),
      ),
    ),
    renditions: Type.Optional(
      Type.Array(
        Type.Object(
          {
            name: Type.String(),
            kind: Type.Union([Type.Literal('video'), Type.Literal('audio')]),
            mode: Type.Union([Type.Literal('copy'), Type.Literal('encode')]),
            codec: text('RFC 6381'),
            bandwidth: count('bit/s'),
            ...{
              width: Type.Optional(count('')),
              height: Type.Optional(count('')),
              channels: Type.Optional(count('')),
            },
          },
          strict(),
        ),
      ),
    ),
  }),
);

/** How far a session is encoded. */
export const ProgressReply = Type.Unsafe<SessionProgress>(
  Type.Object(
    {
      id: Type.String(),
      state: Type.Union(
        [Type.Literal('on-demand'), Type.Literal('running'), Type.Literal('complete'), Type.Literal('failed')],
        { description: 'Of encoding everything; `on-demand`: nobody asked for that' },
      ),
      reason: Type.Optional(Type.String()),
      segments: count('Of all renditions below'),
      encoded: count('Of these'),
      bytes: count('Of these'),
      renditions: Type.Array(
        Type.Object(
          {
            name: Type.String(),
            kind: Type.Union([Type.Literal('video'), Type.Literal('audio')]),
            ...{ segments: count(''), encoded: count(''), bytes: count('') },
            heads: count('Encoders at work'),
            state: Type.Union([
              ...[Type.Literal('waiting'), Type.Literal('running'), Type.Literal('complete'), Type.Literal('failed')],
            ]),
            reason: Type.Optional(Type.String()),
          },
          strict(),
        ),
      ),
    },
    strict(),
  ),
);

/** Where a player is. */
export const PositionReply = Type.Object({ positionMs: Type.Number({ minimum: 0 }) });

/** What may be played in a folder. */
export const MediaReply = Type.Unsafe<MediaListing>(
  Type.Object({
    path: text('`path/name` is the source of an entry'),
    entries: Type.Array(
      Type.Object({
        name: Type.String(),
        kind: Type.Union([Type.Literal('folder'), Type.Literal('file')]),
        sizeBytes: count('0 for folders'),
      }),
    ),
    isCut: Type.Boolean({ description: 'Whether there is more' }),
  }),
);

function strict(): { additionalProperties: false } {
  return { additionalProperties: false };
}
