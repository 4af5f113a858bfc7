import type { MadeMedia } from './made-media.ts';
import { ScriptedPlaylist, type ScriptedOptions, type ScriptedSegment } from './scripted-playlist.ts';
import type { UpstreamRequest, UpstreamReply, UpstreamServer } from './upstream-server.ts';

/** A rendition of a channel. */
export interface ScriptedRendition {
  /** Of its folder: `v0`, `english` ... */
  readonly name: string;
  readonly kind?: 'variant' | 'audio' | 'subtitles' | 'iframes';
  /** Its timeline; further segments may be appended to its playlist. */
  readonly media: MadeMedia | readonly ScriptedSegment[];
  /** Attributes of its EXT-X-STREAM-INF, EXT-X-MEDIA or EXT-X-I-FRAME-STREAM-INF, instead of those that fit the media. */
  readonly attributes?: string;
  readonly options?: ScriptedOptions;
}

/** A live channel on an upstream server: `PATH/index.m3u8`, and `PATH/NAME/index.m3u8` of every rendition. */
export class ScriptedChannel {
  readonly url: string;
  readonly path: string;
  /** Lines of the multivariant playlist before its variants. */
  readonly masterTags: string[] = [];
  readonly #playlists = new Map<string, ScriptedPlaylist>();
  readonly #renditions: readonly ScriptedRendition[];
  #timer: NodeJS.Timeout | undefined;

  /** A channel of which nothing is in the playlists yet: see `advance`. */
  constructor(server: UpstreamServer, path: string, renditions: readonly ScriptedRendition[]) {
    this.#renditions = renditions;
    this.path = path;
    this.url = server.url(`${path}/index.m3u8`);
    for (const { name, kind = 'variant', media, options } of renditions) {
      const made = 'segments' in media ? media : { segments: media, extension: kind === 'subtitles' ? 'vtt' : 'ts' };
      const tags = kind === 'iframes' ? ['#EXT-X-I-FRAMES-ONLY'] : [];
      const playlist = new ScriptedPlaylist({ extension: made.extension, tags, ...options }).append(made.segments);
      this.#playlists.set(name, playlist);
      server.route(new RegExp(`^${path}/${name}/`), (request) => serve(playlist, request));
    }
    server.route(`${path}/index.m3u8`, () => playlistReply(this.master()));
  }

  /** The address of a rendition's media playlist. */
  mediaUrl(name: string): string {
    return new URL(`${name}/index.m3u8`, this.url).href;
  }

  playlist(name = this.#renditions[0]!.name): ScriptedPlaylist {
    const playlist = this.#playlists.get(name);
    if (playlist === undefined) throw new Error(`there is no rendition ${name}`);
    return playlist;
  }

  /** Shows further segments in every rendition. */
  advance(segments = 1): this {
    for (const playlist of this.#playlists.values()) playlist.advance(segments);
    return this;
  }

  end(): this {
    this.stop();
    for (const playlist of this.#playlists.values()) playlist.end();
    return this;
  }

  /** Shows one segment after the other in real time, until `stop()` or until there are no more. */
  run(speed = 1): this {
    this.stop();
    let dueMs = performance.now();
    const step = (): void => {
      const playlists = [...this.#playlists.values()];
      if (playlists.some(({ left }) => left === 0)) return;
      dueMs += playlists[0]!.next!.durationMs / speed;
      this.#timer = setTimeout(() => {
        this.advance();
        step();
      }, dueMs - performance.now());
    };
    step();
    return this;
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  /** The multivariant playlist. */
  master(): string {
    const of = (kind: string): ScriptedRendition[] =>
      this.#renditions.filter((rendition) => (rendition.kind ?? 'variant') === kind);
    const media = (['audio', 'subtitles'] as const).flatMap((kind) =>
      of(kind).map(({ name, attributes }, index) => {
        const fitting = `TYPE=${kind.toUpperCase()},GROUP-ID="${kind}",NAME="${name}",DEFAULT=${index === 0 ? 'YES' : 'NO'}`;
        return `#EXT-X-MEDIA:${attributes ?? `${fitting},AUTOSELECT=YES`},URI="${name}/index.m3u8"`;
      }),
    );
    const groups = (['audio', 'subtitles'] as const)
      .filter((kind) => of(kind).length > 0)
      .map((kind) => `,${kind.toUpperCase()}="${kind}"`);
    const sound = of('audio').length > 0 ? ',mp4a.40.2' : '';
    const variants = of('variant').flatMap(({ name, media, attributes }) => [
      `#EXT-X-STREAM-INF:${attributes ?? attributesOf(media, sound) + groups.join('')}`,
      `${name}/index.m3u8`,
    ]);
    const iframes = of('iframes').map(
      ({ name, attributes }) =>
        `#EXT-X-I-FRAME-STREAM-INF:${attributes ?? 'BANDWIDTH=100000'},URI="${name}/index.m3u8"`,
    );
    return ['#EXTM3U', '#EXT-X-VERSION:7', ...this.masterTags, ...media, ...variants, ...iframes, ''].join('\n');
  }
}

/** WebVTT segments with a cue each. */
export function subtitleSegments(count: number, durationMs: number): ScriptedSegment[] {
  return Array.from({ length: count }, (_, index) => {
    const time = (ms: number): string => new Date(ms).toISOString().slice(11, 23);
    const map = 'X-TIMESTAMP-MAP=MPEGTS:900000,LOCAL:00:00:00.000';
    const cue = `${time(index * durationMs)} --> ${time((index + 1) * durationMs)}\nLine ${index}`;
    return { bytes: Buffer.from(`WEBVTT\n${map}\n\n${cue}\n`), durationMs };
  });
}

/** The same segments under a key each (or under one key for all), AES-128. */
export function encrypted(media: MadeMedia, key: (index: number) => { bytes: Buffer; iv?: Buffer }): MadeMedia {
  return { ...media, segments: media.segments.map((segment, index) => ({ ...segment, key: key(index) })) };
}

function attributesOf(media: MadeMedia | readonly ScriptedSegment[], sound: string): string {
  if (!('segments' in media)) return 'BANDWIDTH=1000000';
  const size = media.size === undefined ? '' : `,RESOLUTION=${media.size},FRAME-RATE=${media.rate.toFixed(3)}`;
  return `BANDWIDTH=${media.bitsPerSecond},CODECS="${media.codecs}${sound}"${size}`;
}

function serve(playlist: ScriptedPlaylist, { path, query }: UpstreamRequest): UpstreamReply | undefined {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name === 'index.m3u8') return playlistReply(playlist.text());
  const file = playlist.file(name, query.get('token'));
  if (file === 'forbidden') return { status: 403, body: 'the token is too old' };
  return file === undefined ? undefined : { body: file, headers: { etag: `"${name}"` } };
}

function playlistReply(body: string): UpstreamReply {
  return { body, headers: { 'content-type': 'application/vnd.apple.mpegurl', 'cache-control': 'no-cache' } };
}
