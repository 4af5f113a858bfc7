import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { startApp, type RunningApp } from '../../src/app.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import type { TranscodeRow } from '../../src/transcode/transcode-row.ts';
import { silentLogger } from '../../src/util/logger.ts';
import { fetchMultivariant, type ListedRendition, type ParsedMultivariant } from './hls-client.ts';
import { until } from './poll.ts';

const STREAM_KEY = 'test-stream-key';
const ADMIN_TOKEN = 'test-admin-token';

/** A ladder whose only rung is the source itself: costs no encoder. */
export const PASSTHROUGH_LADDER = `
[[rendition]]
name = "original"
factory = "passthrough"
`;

/** The cheapest rung with an encoder, to put behind others. */
export const SMALLEST_RUNG = `[[rendition]]
name = "144p"
width = 256
height = 144
videoBitrateKbps = 150
audioBitrateKbps = 64
preset = "ultrafast"
`;

/** Rungs small enough for several encoders to run beside each other on two cores. */
export const SMALL_LADDER = `${PASSTHROUGH_LADDER}
[[rendition]]
name = "240p"
width = 426
height = 240
videoBitrateKbps = 400
audioBitrateKbps = 64
preset = "ultrafast"

${SMALLEST_RUNG}`;

/** What differs from a plain server. */
interface LiveServerOptions {
  readonly ladder?: string;
  /** Further lines of `laddercast.toml`; the table `publish` is not for here. */
  readonly settings?: string;
  /** Keys of the table `publish`. Without a grace time, broadcasts end with their publishers. */
  readonly publish?: Readonly<Record<string, string | number | boolean>>;
}

/** A whole Laddercast on loopback with its own folder and any free ports. */
export class LiveServer {
  /** Its own folder: `data/` is in it, and `media/`, which is a media root. */
  readonly folder: string;
  #app: RunningApp;

  constructor(app: RunningApp, folder: string) {
    this.#app = app;
    this.folder = folder;
  }

  /** Starts a server. */
  static async start(options: LiveServerOptions = {}): Promise<LiveServer> {
    const folder = await mkdtemp(path.join(os.tmpdir(), 'laddercast-live-'));
    await mkdir(path.join(folder, 'media'));
    await LiveServer.#configure(folder, options);
    return new LiveServer(await LiveServer.#boot(folder), folder);
  }

  get app(): RunningApp {
    return this.#app;
  }

  /** Closes the server and starts it again in the same folder; it gets other ports. */
  async restart(): Promise<void> {
    await this.#app.close();
    this.#app = await LiveServer.#boot(this.folder);
  }

  static #boot(folder: string): Promise<RunningApp> {
    return startApp(loadConfig({ argv: [], env: {}, cwd: folder }), silentLogger);
  }

  static async #configure(folder: string, { ladder = SMALL_LADDER, settings = '', publish = {} }: LiveServerOptions) {
    await writeFile(path.join(folder, 'ladder.toml'), ladder);
    const lines = [
      ...['host = "127.0.0.1"', 'rtmpPort = 0', 'httpPort = 0', 'dataDir = "data"', 'ladders = ["./ladder.toml"]'],
      ...[`streamKey = "${STREAM_KEY}"`, `adminToken = "${ADMIN_TOKEN}"`, 'mediaRoots = ["media"]'],
      ...Object.entries({ graceMs: 0, ...publish }).map(([key, value]) => `publish.${key} = ${JSON.stringify(value)}`),
      settings,
    ];
    await writeFile(path.join(folder, 'laddercast.toml'), lines.join('\n'));
  }

  /** Where ffmpeg or OBS publishes a broadcast. */
  rtmpUrl(name: string, key = STREAM_KEY): string {
    return `${this.app.rtmpUrl}/live/${name}?key=${key}`;
  }

  wsUrl(name: string, key = STREAM_KEY): string {
    return `${this.app.httpUrl.replace('http', 'ws')}/ingest/live/${name}?key=${key}`;
  }

  multivariantUrl(name: string): string {
    return `${this.app.httpUrl}/hls/live/${name}/index.m3u8`;
  }

  mediaUrl(name: string, rendition: string, track: 'video' | 'audio' = 'video'): string {
    return `${this.app.httpUrl}/hls/live/${name}/${rendition}/${track}.m3u8`;
  }

  /** The multivariant playlist once it lists this many variants with a picture. */
  async variants(name: string, count: number): Promise<ParsedMultivariant> {
    return until(`${count} variants of ${name}`, async () => {
      const multivariant = await fetchMultivariant(this.multivariantUrl(name));
      return videoVariants(multivariant).length === count ? multivariant : undefined;
    });
  }

  /** A REST call with the admin token. */
  api(method: string, route: string, body?: unknown): Promise<Response> {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
    return fetch(`${this.app.httpUrl}/api/v1/${route}`, {
      method,
      headers: body === undefined ? { authorization: headers.authorization } : headers,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  }

  addRendition(spec: RenditionSpec): Promise<Response> {
    return this.api('POST', 'renditions', spec);
  }

  async transcodes(): Promise<TranscodeRow[]> {
    const body: unknown = await (await this.api('GET', 'transcodes')).json();
    return (Array.isArray(body) ? body : (body as { transcodes: unknown }).transcodes) as TranscodeRow[];
  }

  async close(): Promise<void> {
    await this.app.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The variants of a multivariant playlist that have a picture. */
export function videoVariants(multivariant: ParsedMultivariant | undefined): ListedRendition[] {
  return multivariant?.variants.filter(({ attributes }) => 'RESOLUTION' in attributes) ?? [];
}
