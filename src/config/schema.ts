import { type Static, Type } from 'typebox';
import { SourceEntry } from './source-entry.ts';

const port = (description: string) => Type.Integer({ minimum: 0, maximum: 65_535, description });
const secret = (description: string) => Type.String({ minLength: 8, maxLength: 512, pattern: '^[!-~]+$', description });
const strict = { additionalProperties: false };

/** A stream key of one broadcast. */
export const StreamKeyEntry = Type.Object(
  {
    broadcast: Type.String({ minLength: 1, maxLength: 97, description: '`app/name`; `*` stands for any characters' }),
    key: secret('What the publisher must send'),
    expires: Type.Optional(
      Type.String({
        pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d+)?(Z|[+-]\\d{2}:\\d{2})$',
        description: 'Date and time after which the key is refused, e.g. 2026-12-31T23:59:59Z',
      }),
    ),
  },
  strict,
);
export type StreamKeyEntry = Static<typeof StreamKeyEntry>;

const graceMs = Type.Integer({
  minimum: 0,
  maximum: 1_800_000,
  description: 'How long a broadcast waits for a publisher that has gone',
});
const slate = Type.Union([Type.Boolean(), Type.String({ minLength: 1, maxLength: 1_024 })], {
  description: 'Whether a still picture and silence go on meanwhile: the last keyframe, or the image of that path',
});
const dvrMs = Type.Integer({ minimum: 0, maximum: 86_400_000, description: 'How far back viewers may go' });
const archive = Type.Boolean({ description: 'Whether a broadcast stays as a recording when it ends' });

/** What differs for the broadcasts of a pattern; the narrowest pattern that names a key wins. */
export const BroadcastEntry = Type.Object(
  {
    broadcast: Type.String({ minLength: 1, maxLength: 97, description: '`app/name`; `*` stands for any characters' }),
    graceMs: Type.Optional(graceMs),
    slate: Type.Optional(slate),
    dvrMs: Type.Optional(dvrMs),
    archive: Type.Optional(archive),
  },
  strict,
);
export type BroadcastEntry = Static<typeof BroadcastEntry>;

/** Everything that `laddercast.toml` may hold; flags and environment set some of the same keys. */
export const ConfigFile = Type.Object(
  {
    host: Type.String({ minLength: 1, maxLength: 255, description: 'Address to listen on' }),
    rtmpPort: port('RTMP port; 0 = any free one'),
    rtmpsPort: Type.Optional(port('RTMPS port; needs [tls]')),
    httpPort: port('Port of pages, playback, REST and WebSocket ingest; 0 = any free one'),
    httpsPort: Type.Optional(port('Port of the same over TLS, HTTP/2 and HTTP/1.1; needs [tls] or selfSigned')),
    selfSigned: Type.Boolean({
      description: 'Whether a certificate for local trials is made and kept in dataDir where [tls] names none',
    }),
    tls: Type.Optional(
      Type.Object(
        {
          cert: Type.String({ minLength: 1, description: 'PEM file with the certificate chain' }),
          key: Type.String({ minLength: 1, description: 'PEM file with the private key' }),
        },
        strict,
      ),
    ),
    dataDir: Type.String({ minLength: 1, description: 'Folder for everything that outlives a restart' }),
    logLevel: Type.Union(
      [
        Type.Literal('trace'),
        Type.Literal('debug'),
        Type.Literal('info'),
        Type.Literal('warn'),
        Type.Literal('error'),
        Type.Literal('silent'),
      ],
      { description: 'Least severe level that is logged' },
    ),
    ffmpeg: Type.Optional(Type.String({ minLength: 1, description: 'ffmpeg binary; default: the one on PATH' })),
    adminToken: Type.Optional(secret('Bearer token of the REST API; made at the first start if left out')),
    streamKey: Type.Optional(secret('Key that every broadcast accepts; made at the first start if no key is set')),
    streamKeys: Type.Array(StreamKeyEntry, { maxItems: 10_000 }),
    mediaRoots: Type.Array(Type.String({ minLength: 1 }), { maxItems: 100, description: 'Folders with files to play' }),
    allowPrivate: Type.Array(Type.String({ pattern: '^[0-9a-fA-F.:]+(/\\d{1,3})?$' }), {
      maxItems: 1_000,
      description: 'Private addresses (CIDR) that remote sources may name',
    }),
    ladders: Type.Array(Type.String({ minLength: 1, maxLength: 1_024 }), {
      minItems: 1,
      maxItems: 100,
      description: 'Names of ready ladders, or paths of ladder files',
    }),
    publicMetrics: Type.Boolean({ description: 'Whether /metrics answers without the admin token' }),
    publish: Type.Object(
      {
        takeover: Type.Union([Type.Literal('when-silent'), Type.Literal('always'), Type.Literal('never')], {
          description: 'When a second publisher with the right key may replace the first',
        }),
        silentMs: Type.Integer({ minimum: 0, maximum: 600_000, description: 'How long "silent" is' }),
        maxPublishers: Type.Integer({ minimum: 1, maximum: 10_000, description: 'Publishers at a time' }),
        graceMs,
        slate,
      },
      strict,
    ),
    hls: Type.Object(
      {
        segmentTargetMs: Type.Integer({ minimum: 500, maximum: 10_000, description: 'Wanted segment duration' }),
        windowSegments: Type.Integer({ minimum: 6, maximum: 1_000, description: 'Segments in a live playlist' }),
        partTargetMs: Type.Integer({ minimum: 100, maximum: 5_000, description: 'Wanted duration of a part' }),
        latency: Type.Union([Type.Literal('low'), Type.Literal('normal')], {
          description: '`low`: Low-Latency HLS with parts; `normal`: whole segments only',
        }),
        dvrMs,
        dvrMaxMb: Type.Integer({
          minimum: 64,
          maximum: 1_048_576,
          description: 'Disk for one broadcast to go back in',
        }),
        archive,
      },
      strict,
    ),
    vod: Type.Object(
      {
        segmentTargetMs: Type.Integer({
          minimum: 1_000,
          maximum: 10_000,
          description: 'Wanted segment duration of files',
        }),
        aheadSegments: Type.Integer({
          minimum: 1,
          maximum: 100,
          description: 'How far encoding runs ahead of a viewer',
        }),
        maxEncoders: Type.Integer({
          minimum: 0,
          maximum: 256,
          description: 'Encoders of files at a time; 0 = one per core',
        }),
        maxSessions: Type.Integer({ minimum: 1, maximum: 100_000, description: 'Sessions at a time' }),
        maxPerUser: Type.Integer({
          minimum: 0,
          maximum: 10_000,
          description: 'Sessions of one user; beyond it the oldest of that user goes; 0 = no limit',
        }),
        maxPerSource: Type.Integer({
          minimum: 0,
          maximum: 10_000,
          description: 'Sessions of one source; beyond it others are refused; 0 = no limit',
        }),
        heartbeatMs: Type.Integer({
          minimum: 1_000,
          maximum: 600_000,
          description: 'How long a session lives on without a request',
        }),
      },
      strict,
    ),
    pull: Type.Object(
      {
        maxSources: Type.Integer({ minimum: 0, maximum: 10_000, description: 'Sources that may be registered' }),
        maxActive: Type.Integer({ minimum: 1, maximum: 1_000, description: 'Sources that run at a time' }),
        maxPerUser: Type.Integer({
          minimum: 0,
          maximum: 1_000,
          description: 'Sources of one user that run at a time; beyond it the oldest one on demand stops; 0 = no limit',
        }),
        maxPerHost: Type.Integer({ minimum: 1, maximum: 64, description: 'Requests to one upstream host at a time' }),
        failuresBeforeNext: Type.Integer({
          minimum: 1,
          maximum: 100,
          description: 'Failures in a row after which the next address of a source is tried',
        }),
        prefetchSegments: Type.Integer({ minimum: 0, maximum: 20, description: 'Segments fetched ahead of players' }),
        idleMs: Type.Integer({
          minimum: 5_000,
          maximum: 3_600_000,
          description: 'How long something on demand goes on without a viewer',
        }),
        memoryMb: Type.Integer({ minimum: 16, maximum: 65_536, description: 'Memory for fetched segments' }),
        ttlMs: Type.Integer({
          minimum: 10_000,
          maximum: 86_400_000,
          description: 'How long a fetched segment is kept after its last use',
        }),
        allowHosts: Type.Array(Type.String({ minLength: 1, maxLength: 255, pattern: '^[A-Za-z0-9.:/_-]+$' }), {
          maxItems: 1_000,
          description: 'Hosts (names or CIDR) that rtsp, rtmp and srt sources may name; such sources are off without',
        }),
      },
      strict,
    ),
    storage: Type.Object(
      {
        sizeGb: Type.Union(
          [
            Type.Number({ minimum: 1, maximum: 1_000_000 }),
            Type.String({ pattern: '^(100|[1-9]\\d?)(\\.\\d{1,3})?%$', description: 'Share of the disk' }),
          ],
          { description: 'Disk for encoded files and live segments together, at least 1; "10%" = of the disk' },
        ),
        dvrMaxMb: Type.Integer({
          minimum: 64,
          maximum: 16_777_216,
          description: 'The live segments’ part of it at most',
        }),
        archiveMaxMb: Type.Integer({
          minimum: 64,
          maximum: 16_777_216,
          description: 'Disk for recordings; beyond it the oldest recording goes',
        }),
      },
      strict,
    ),
    broadcasts: Type.Array(BroadcastEntry, { maxItems: 10_000 }),
    sources: Type.Array(SourceEntry, { maxItems: 10_000, description: 'Remote streams; REST cannot delete these' }),
  },
  strict,
);

/** The effective configuration: validated, paths absolute, frozen all the way down. */
export type Config = Static<typeof ConfigFile>;

/** Dotted keys whose values are secrets. */
export const SECRET_CONFIG_KEYS: readonly string[] = Object.freeze([
  'adminToken',
  'streamKey',
  'streamKeys',
  'sources',
]);

/** What applies where nobody said anything. */
export const CONFIG_DEFAULTS: Config = Object.freeze<Config>({
  host: '0.0.0.0',
  rtmpPort: 1935,
  httpPort: 8080,
  dataDir: './data',
  logLevel: 'info',
  streamKeys: [],
  mediaRoots: [],
  allowPrivate: [],
  ladders: ['default'],
  publicMetrics: false,
  selfSigned: false,
  publish: { takeover: 'when-silent', silentMs: 2_000, maxPublishers: 100, graceMs: 30_000, slate: false },
  hls: {
    segmentTargetMs: 2_000,
    windowSegments: 8,
    partTargetMs: 500,
    latency: 'low',
    dvrMs: 600_000,
    dvrMaxMb: 2_048,
    archive: false,
  },
  vod: {
    segmentTargetMs: 4_000,
    aheadSegments: 6,
    maxEncoders: 0,
    maxSessions: 1_000,
    maxPerUser: 5,
    maxPerSource: 0,
    heartbeatMs: 30_000,
  },
  pull: {
    maxSources: 200,
    maxActive: 50,
    maxPerUser: 0,
    maxPerHost: 8,
    failuresBeforeNext: 3,
    prefetchSegments: 3,
    idleMs: 60_000,
    memoryMb: 256,
    ttlMs: 300_000,
    allowHosts: [],
  },
  storage: { sizeGb: 5, dvrMaxMb: 5_120, archiveMaxMb: 51_200 },
  broadcasts: [],
  sources: [],
});
