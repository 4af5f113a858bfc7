import { Type } from 'typebox';
import type { SourceView } from '../sources/source-view.ts';

const text = (description: string) => Type.String({ description });

const count = (description: string) => Type.Integer({ minimum: 0, description });

/** A remote source as REST shows it: nothing of credentials, queries and headers. */
export const SourceReply = Type.Unsafe<SourceView>(
  Type.Object(
    {
      name: Type.String(),
      mode: Type.Union([Type.Literal('ladder'), Type.Literal('relay')]),
      onDemand: Type.Boolean({ description: 'Whether it runs only while somebody watches' }),
      from: Type.Union([Type.Literal('config'), Type.Literal('api')], { description: 'Where it was registered' }),
      user: Type.Optional(text('Whom its running counts for')),
      maxConnections: Type.Optional(count('Requests to it at a time')),
      recorded: Type.Optional(Type.Union([Type.Literal('channel'), Type.Literal('film')])),
      state: Type.Union(
        [
          ...[Type.Literal('idle'), Type.Literal('starting'), Type.Literal('live'), Type.Literal('waiting')],
          ...[Type.Literal('ended'), Type.Literal('failed'), Type.Literal('film')],
        ],
        {
          description:
            '`idle`: starts with the first viewer; `waiting`: no address answers, the next one is tried; `failed`: is tried ' +
            'again later; `film`: is played as a file',
        },
      ),
      since: Type.String({ format: 'date-time', description: 'When that state began' }),
      addresses: Type.Array(Type.String(), { description: 'Without credentials and queries' }),
      address: Type.Optional(text('The one at present')),
      lastError: Type.Optional(
        Type.Object({ message: Type.String(), at: Type.String({ format: 'date-time' }) }, strict()),
      ),
      playlist: text('Path of the multivariant playlist'),
      watch: text('Path of the page that plays it'),
      viewers: count('Clients that asked for a playlist within the last seconds'),
      failovers: count('How often another address took over'),
      counters: Type.Record(Type.String(), Type.Number(), { description: 'Totals since the server started' }),
    },
    strict(),
  ),
);

/** How well what is fetched of sources serves their players. */
export const PrefetchReply = Type.Object(
  {
    active: count('Playlists whose players are fetched ahead for'),
    hits: count('Segments that were there, or on their way, when they were asked for'),
    misses: count('Segments that were fetched because they were asked for'),
    prefetched: count('Segments that were fetched ahead'),
    wastedBytes: count('Of segments that were fetched ahead and never asked for'),
    fetchedBytes: count('Of all segments'),
    retries: count('Fetches that were tried again'),
    failures: count('Segments that could not be fetched'),
    memoryBytes: count('What is held in memory'),
    diskBytes: count('What is held on disk'),
    upstreams: count('Upstreams in use; equal sources share one'),
    playlists: count('Playlists that are kept up to date'),
  },
  strict(),
);

function strict(): { additionalProperties: false } {
  return { additionalProperties: false };
}
