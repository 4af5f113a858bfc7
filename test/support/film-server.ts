import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LiveServer } from './live-server.ts';
import { assFile, cueEachSecond, subRip } from './subtitled-film.ts';
import { writeTimecodedFilm } from './timecode.ts';

const SECONDS = 48;

/** Two rungs that take little of the machine. */
const LADDER = `
[[rendition]]
name = "original"
factory = "passthrough"

[[rendition]]
name = "180p"
width = 320
height = 180
videoBitrateKbps = 300
audioBitrateKbps = 64
preset = "ultrafast"
`;

/** A server with one film: timecoded, two sounds of 440 and 1760 Hz, subtitles `en` and `de` each second, `fr` beside it. */
export class FilmServer {
  readonly server: LiveServer;

  private constructor(server: LiveServer) {
    this.server = server;
  }

  static async start(): Promise<FilmServer> {
    const server = await LiveServer.start({ ladder: LADDER });
    const within = (...names: string[]): string => path.join(server.folder, ...names);
    await writeFile(within('en.srt'), subRip(cueEachSecond('en', SECONDS)));
    await writeFile(within('de.ass'), assFile(cueEachSecond('de', SECONDS)));
    await writeFile(within('media', 'film.fr.srt'), subRip(cueEachSecond('fr', SECONDS)));
    const tone = (hertz: number): string => `sine=frequency=${hertz}:duration=${SECONDS}:sample_rate=48000`;
    const language = (track: string, code: string): string[] => [`-metadata:s:${track}`, `language=${code}`];
    await writeTimecodedFilm(within('media', 'film.mkv'), {
      ...{ size: '640x360', seconds: SECONDS, sounds: [tone(440), tone(1760)] },
      inputs: ['-i', within('en.srt'), '-i', within('de.ass')],
      output: [
        ...['-map', '3', '-map', '4', '-c:s', 'copy', '-g', '48', '-disposition:s', '0'],
        ...[...language('a:0', 'eng'), ...language('a:1', 'deu'), ...language('s:0', 'eng'), ...language('s:1', 'deu')],
      ],
    });
    return new FilmServer(server);
  }

  /** Starts a session. */
  async play(options: object = {}): Promise<{ id: string; watchUrl: string; playlistUrl: string }> {
    const answer = await this.server.api('POST', 'vod', { source: 'media/film.mkv', ...options });
    const body = (await answer.json()) as { id: string; watch: string; playlist: string };
    if (!answer.ok) throw new Error(JSON.stringify(body));
    const { httpUrl } = this.server.app;
    return { id: body.id, watchUrl: httpUrl + body.watch, playlistUrl: httpUrl + body.playlist };
  }

  close(): Promise<void> {
    return this.server.close();
  }
}
