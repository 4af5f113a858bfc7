import { type Static, Type } from 'typebox';

const address = Type.String({ minLength: 1, maxLength: 2_048, pattern: '^[!-~]+$' });

/** A remote stream that becomes a broadcast, or is relayed. */
export const SourceEntry = Type.Object(
  {
    name: Type.String({
      pattern: '^[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}$',
      description: 'In ladder mode it becomes the broadcast live/NAME, in relay mode /relay/NAME/index.m3u8',
    }),
    url: Type.Optional(address),
    urls: Type.Optional(
      Type.Array(address, {
        minItems: 1,
        maxItems: 10,
        description: 'The first that works is taken; instead of `url`',
      }),
    ),
    mode: Type.Union([Type.Literal('ladder'), Type.Literal('relay')], {
      description: '`ladder`: renditions are encoded as for a publisher; `relay`: passed on as they are',
    }),
    onDemand: Type.Optional(
      Type.Boolean({
        description: 'Whether it starts with its first viewer and stops some time after the last [false]',
      }),
    ),
    headers: Type.Optional(
      Type.Record(
        Type.String({ pattern: '^[A-Za-z0-9-]{1,64}$' }),
        Type.String({ maxLength: 4_096, pattern: '^[ -~]*$' }),
        {
          maxProperties: 20,
          description: 'Sent with every request to the source',
        },
      ),
    ),
    userAgent: Type.Optional(Type.String({ minLength: 1, maxLength: 512, pattern: '^[ -~]+$' })),
    maxConnections: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 64, description: 'Requests to the source at a time [4]' }),
    ),
    user: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'Whom its running counts for, see pull.maxPerUser' }),
    ),
    recorded: Type.Optional(
      Type.Union([Type.Literal('channel'), Type.Literal('film')], {
        description: 'A playlist that has an end runs in real time as a `channel`, or is played as a `film` [channel]',
      }),
    ),
  },
  { additionalProperties: false },
);
export type SourceEntry = Static<typeof SourceEntry>;
