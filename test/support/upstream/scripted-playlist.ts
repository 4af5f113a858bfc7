import { createCipheriv } from 'node:crypto';

/** A segment on the timeline of a playlist. */
export interface ScriptedSegment {
  readonly bytes: Buffer;
  readonly durationMs: number;
  readonly init?: Buffer;
  /** A break before it. */
  readonly discontinuity?: boolean;
  /** Listed, but the server does not have it. */
  readonly missing?: boolean;
  /** Listed as EXT-X-GAP. */
  readonly gap?: boolean;
  /** AES-128; without `iv` that of the media sequence number counts. */
  readonly key?: { readonly bytes: Buffer; readonly iv?: Buffer };
  /** EXT-X-BYTERANGE. */
  readonly range?: { readonly offset: number; readonly length: number };
  /** Further lines before it, e.g. `#EXT-X-CUE-OUT:30`. */
  readonly tags?: readonly string[];
}

/** What a playlist says besides its segments. */
export interface ScriptedOptions {
  /** Of the segments' names. */
  readonly extension?: string;
  /** Of a live playlist. */
  readonly windowSegments?: number;
  readonly firstSequence?: number;
  /** Wall clock of the first segment; without it there is no EXT-X-PROGRAM-DATE-TIME. */
  readonly startDateMs?: number;
  /** Every load has other addresses; those of the last two loads work. */
  readonly tokens?: boolean;
  /** Further lines of the head. */
  readonly tags?: readonly string[];
}

/**
 * A media playlist whose window a test moves over a timeline. Segments are named by their place in it (`0.ts`), whatever
 * their media sequence number; init segments are `init-0.mp4`, keys `key-0.bin`.
 */
export class ScriptedPlaylist {
  readonly #options: Required<Omit<ScriptedOptions, 'startDateMs'>> & Pick<ScriptedOptions, 'startDateMs'>;
  readonly #timeline: ScriptedSegment[] = [];
  readonly #inits: Buffer[] = [];
  readonly #keys: Buffer[] = [];
  #revealed = 0;
  #shift: number;
  #ended = false;
  #recorded = false;
  #loads = 0;

  constructor(options: ScriptedOptions = {}) {
    const defaults = { extension: 'ts', windowSegments: 6, firstSequence: 0, tokens: false, tags: [] };
    this.#options = { ...defaults, ...options };
    this.#shift = this.#options.firstSequence;
  }

  /** Segments that are not in the playlist yet. */
  get left(): number {
    return this.#timeline.length - this.#revealed;
  }

  /** How many segments have been in the playlist. */
  get revealed(): number {
    return this.#revealed;
  }

  /** The next that will be in the playlist. */
  get next(): ScriptedSegment | undefined {
    return this.#timeline[this.#revealed];
  }

  /** Makes the timeline longer; the playlist shows it when it is moved. */
  append(segments: readonly ScriptedSegment[]): this {
    return this.#put(this.#timeline.length, segments);
  }

  /** Puts segments before those that are not in the playlist yet, between two breaks. */
  interrupt(segments: readonly ScriptedSegment[]): this {
    const [first] = segments;
    const next = this.next;
    if (first === undefined || next === undefined) throw new RangeError('there is nothing to put in, or nothing left');
    this.#timeline[this.#revealed] = { ...next, discontinuity: true };
    return this.#put(this.#revealed, [{ ...first, discontinuity: true }, ...segments.slice(1)]);
  }
  /** Shows further segments; the oldest leave the window. */
  advance(segments = 1): this {
    if (segments > this.left) throw new RangeError(`${this.left} segments are left, not ${segments}`);
    this.#revealed += segments;
    return this;
  }

  /** Shows all that is left, and EXT-X-ENDLIST; a playlist that showed nothing before is a recording: it has no window. */
  end(): this {
    this.#recorded = this.#revealed === 0;
    this.#revealed = this.#timeline.length;
    this.#ended = true;
    return this;
  }

  /** Numbers the same segments otherwise: the first one of the window gets this number. */
  renumber(firstSequence: number): this {
    this.#shift = firstSequence - this.#first;
    return this;
  }

  /** The playlist as a client gets it now. */
  text(): string {
    this.#loads += 1;
    const { startDateMs, tags } = this.#options;
    const segments = this.#timeline.slice(this.#first, this.#revealed);
    const breaks = this.#timeline.slice(0, this.#first).filter(({ discontinuity }) => discontinuity === true).length;
    const longestMs = Math.max(1_000, ...this.#timeline.map(({ durationMs }) => durationMs));
    const dateMs = this.#timeline
      .slice(0, this.#first)
      .reduce((sum, { durationMs }) => sum + durationMs, startDateMs ?? 0);
    const head = [
      ...['#EXTM3U', '#EXT-X-VERSION:7', `#EXT-X-TARGETDURATION:${Math.round(longestMs / 1_000)}`],
      `#EXT-X-MEDIA-SEQUENCE:${this.#first + this.#shift}`,
      ...(breaks > 0 ? [`#EXT-X-DISCONTINUITY-SEQUENCE:${breaks}`] : []),
      ...tags,
    ];
    const body = segments.flatMap((segment, index) => this.#lines(segment, index, segments[index - 1]));
    const date = startDateMs === undefined ? [] : [`#EXT-X-PROGRAM-DATE-TIME:${new Date(dateMs).toISOString()}`];
    return [...head, ...date, ...body, ...(this.#ended ? ['#EXT-X-ENDLIST'] : []), ''].join('\n');
  }

  /** What a name of the playlist stands for; a segment stays a window longer than it is listed. */
  file(name: string, token?: string | null): Buffer | 'forbidden' | undefined {
    if (this.#options.tokens && !(Number(token) > this.#loads - 2)) return 'forbidden';
    const [, kind, number] = /^(init-|key-|)(\d+)\.\w+$/.exec(name) ?? [];
    const at = Number(number);
    if (kind === 'init-') return this.#inits[at];
    if (kind === 'key-') return this.#keys[at];
    const segment =
      at < this.#revealed && at >= this.#first - this.#options.windowSegments ? this.#timeline[at] : undefined;
    if (segment === undefined || segment.missing === true) return undefined;
    if (segment.key === undefined) return segment.bytes;
    const cipher = createCipheriv('aes-128-cbc', segment.key.bytes, segment.key.iv ?? ivOf(at + this.#shift));
    return Buffer.concat([cipher.update(segment.bytes), cipher.final()]);
  }

  #put(at: number, segments: readonly ScriptedSegment[]): this {
    this.#timeline.splice(at, 0, ...segments);
    for (const segment of segments) {
      if (segment.init !== undefined && !this.#inits.includes(segment.init)) this.#inits.push(segment.init);
      const key = segment.key?.bytes;
      if (key !== undefined && !this.#keys.includes(key)) this.#keys.push(key);
    }
    return this;
  }

  get #first(): number {
    return this.#recorded ? 0 : Math.max(0, this.#revealed - this.#options.windowSegments);
  }

  #lines(segment: ScriptedSegment, index: number, before: ScriptedSegment | undefined): string[] {
    const { init, key, range } = segment;
    const keyLine = key === undefined ? '#EXT-X-KEY:METHOD=NONE' : this.#keyLine(key);
    const hasNewKey = key?.bytes !== before?.key?.bytes || key?.iv !== before?.key?.iv;
    return [
      ...(segment.discontinuity === true ? ['#EXT-X-DISCONTINUITY'] : []),
      ...(hasNewKey ? [keyLine] : []),
      ...(init !== undefined && init !== before?.init
        ? [`#EXT-X-MAP:URI="${this.#uri(`init-${this.#inits.indexOf(init)}.mp4`)}"`]
        : []),
      ...(segment.tags ?? []),
      ...(segment.gap === true ? ['#EXT-X-GAP'] : []),
      `#EXTINF:${(segment.durationMs / 1_000).toFixed(5)},`,
      ...(range === undefined ? [] : [`#EXT-X-BYTERANGE:${range.length}@${range.offset}`]),
      this.#uri(`${this.#first + index}.${this.#options.extension}`),
    ];
  }

  #keyLine({ bytes, iv }: NonNullable<ScriptedSegment['key']>): string {
    const uri = this.#uri(`key-${this.#keys.indexOf(bytes)}.bin`);
    return `#EXT-X-KEY:METHOD=AES-128,URI="${uri}"${iv === undefined ? '' : `,IV=0x${iv.toString('hex')}`}`;
  }

  #uri(name: string): string {
    return this.#options.tokens ? `${name}?token=${this.#loads}` : name;
  }
}

/** RFC 8216 5.2: the number, in 128 bits. */
function ivOf(sequence: number): Buffer {
  const iv = Buffer.alloc(16);
  iv.writeBigUInt64BE(BigInt(sequence), 8);
  return iv;
}
