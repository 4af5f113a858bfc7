import { BoxStream } from '../../src/media/cmaf/box-stream.ts';
import { readSamples } from '../../src/media/cmaf/sample-reader.ts';
import { LADDER_TIMESCALE } from '../../src/media/fragment.ts';
import { fetchBytes, parseAttributes } from './hls-client.ts';

/** A part as a low-latency player got it. */
export interface ReceivedPart {
  readonly url: string;
  /** When its last byte was there, `performance.now()`. */
  readonly receivedAtMs: number;
  /** Media time of its end, ms, by the decode times inside it. */
  readonly endMs: number;
}

/** Newest part of a playlist, and the position after it. */
interface LiveEdge {
  readonly url: string | undefined;
  readonly next: { readonly msn: number; readonly part: number };
}

/** Follows one video playlist as a low-latency player does: blocking reload, then the newest part, until `stop()`. */
export class LowLatencyClient {
  readonly parts: ReceivedPart[] = [];
  readonly finished: Promise<void>;
  readonly #url: string;
  readonly #stop = new AbortController();

  constructor(url: string) {
    this.#url = url;
    this.finished = this.#follow().catch((error: unknown) => {
      if (!this.#stop.signal.aborted) throw error;
    });
  }

  stop(): Promise<void> {
    this.#stop.abort();
    return this.finished;
  }

  async #follow(): Promise<void> {
    let query = '';
    while (!this.#stop.signal.aborted) {
      const response = await fetch(this.#url + query, { signal: this.#stop.signal });
      const text = await response.text();
      if (response.status !== 200) throw new Error(`${response.status} for ${this.#url}${query}: ${text}`);
      const { url, next } = readEdge(text, this.#url);
      query = `${this.#url.includes('?') ? '&' : '?'}_HLS_msn=${next.msn}&_HLS_part=${next.part}`;
      if (url === undefined || url === this.parts.at(-1)?.url) continue;
      const bytes = await fetchBytes(url);
      this.parts.push({ url, receivedAtMs: performance.now(), endMs: endMsOf(bytes) });
    }
  }
}

/** Reads where a low-latency playlist ends. */
function readEdge(text: string, baseUrl: string): LiveEdge {
  let msn = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)/m.exec(text)?.[1]);
  let part = 0;
  let uri: string | undefined;
  for (const line of text.split('\n')) {
    if (line.startsWith('#EXT-X-PART:')) {
      uri = parseAttributes(line.slice(12))['URI'];
      part += 1;
    } else if (line !== '' && !line.startsWith('#')) {
      msn += 1;
      part = 0;
    }
  }
  return { url: uri === undefined ? undefined : new URL(uri, baseUrl).href, next: { msn, part } };
}

function endMsOf(bytes: Buffer): number {
  const defaults = new Map([[1, { duration: 0, size: 0, flags: 0 }]]);
  const ends = new BoxStream()
    .push(Buffer.concat([EMPTY_INIT, bytes]))
    .filter(({ type }) => type === 'fragment')
    .flatMap((fragment) => readSamples(fragment.bytes, defaults))
    .flatMap(({ samples }) => samples)
    .map(({ dts, duration }) => ((dts + duration) * 1000) / LADDER_TIMESCALE);
  return Math.max(...ends);
}

/** A part has no init of its own, and the reader wants one first. */
const EMPTY_INIT = Buffer.from('0000000866747970000000086d6f6f76', 'hex');
