import type { TrackKind } from '../media/fragment.ts';
import { AppError } from '../util/errors.ts';
import type { ArchivedBroadcast, ArchivedTrack } from './archived-broadcast.ts';
import { type LadderRendition, type LadderTrack, listLadder } from './ladder-listing.ts';
import { renderMultivariantPlaylist } from './multivariant-playlist.ts';
import { RenderedPlaylist } from './rendered-playlist.ts';
import { renderRowPlaylist } from './row-playlist.ts';
import { alignedRows, type DateSpan, rowsWithin, type VodRow } from './vod-row.ts';

/** The playlists of a finished recording, rendered when first asked for. */
export class VodPlayback {
  readonly #archive: ArchivedBroadcast;
  readonly #rendered = new Map<string, RenderedPlaylist>();

  constructor(archive: ArchivedBroadcast) {
    this.#archive = archive;
  }

  /** Rows of all tracks: what it costs to keep this in memory. */
  get rows(): number {
    return this.#archive.tracks.reduce((sum, { rows }) => sum + rows.length, 0);
  }

  /**
   * The multivariant playlist, of the whole recording or of a clip of it.
   * @throws AppError as `rowsWithin` does
   */
  multivariant(span?: DateSpan): RenderedPlaylist {
    const { table, head, tracks } = this.#archive;
    if (span !== undefined) rowsWithin(table, span);
    const render = (): string => {
      const names = [...new Set(tracks.map(({ facts }) => facts.rendition))];
      const renditions = names.map((name) => this.#rendition(name));
      return renderMultivariantPlaylist(listLadder(renditions, head.sharedAudioRendition), clipQuery(span));
    };
    return span === undefined ? this.#memo('index', render) : new RenderedPlaylist(render());
  }

  /**
   * A media playlist, whole or of a clip.
   * @throws AppError `NOT_FOUND` if there is no such track; as `rowsWithin` does
   */
  mediaPlaylist(rendition: string, kind: TrackKind, span?: DateSpan): RenderedPlaylist {
    return this.#playlist({ rendition, kind, span, iframesOnly: false });
  }

  /** The I-frame playlist of a rendition, whole or of a clip; errors as with media playlists. */
  iframes(rendition: string, span?: DateSpan): RenderedPlaylist {
    return this.#playlist({ rendition, kind: 'video', span, iframesOnly: true });
  }

  #playlist({
    rendition,
    kind,
    span,
    iframesOnly,
  }: {
    rendition: string;
    kind: TrackKind;
    span: DateSpan | undefined;
    iframesOnly: boolean;
  }): RenderedPlaylist {
    const { table, head } = this.#archive;
    const track = this.#track(rendition, kind);
    if (track === undefined) {
      throw new AppError(
        'NOT_FOUND',
        `the recording has no ${kind} of rendition ${JSON.stringify(rendition.slice(0, 100))}`,
      );
    }
    const render = (rows: readonly VodRow[]): string =>
      renderRowPlaylist({
        targetDurationSeconds: head.targetDurationSeconds,
        rows: alignedRows(rows, track.rows),
        iframesOnly,
        type: 'VOD',
      });
    if (span !== undefined) return new RenderedPlaylist(render(rowsWithin(table, span)));
    return this.#memo(`${rendition} ${iframesOnly ? 'iframes' : kind}`, () => render(table));
  }

  #track(rendition: string, kind: TrackKind): ArchivedTrack | undefined {
    return this.#archive.tracks.find(({ facts }) => facts.rendition === rendition && facts.track === kind);
  }

  #rendition(name: string): LadderRendition {
    return {
      name,
      track: (kind) => {
        const track = this.#track(name, kind);
        return track && ladderTrack(track, this.#archive.head.targetDurationSeconds * 500);
      },
    };
  }

  #memo(name: string, render: () => string): RenderedPlaylist {
    const rendered = this.#rendered.get(name) ?? new RenderedPlaylist(render());
    this.#rendered.set(name, rendered);
    return rendered;
  }
}

/** The query by which the children of a clip's multivariant playlist name the clip; empty without one. */
export function clipQuery(span: DateSpan | undefined): string {
  if (span === undefined) return '';
  const [start, end] = [span.startMs, span.endMs].map((ms) => encodeURIComponent(new Date(ms).toISOString()));
  return `start=${start}&end=${end}`;
}

/** @param minMs shorter segments say nothing about the peak (RFC 8216, 4.3.4.2) */
function ladderTrack({ facts, rows }: ArchivedTrack, minMs: number): LadderTrack {
  const rate = (bytesOf: (row: VodRow) => number): { peak: number; average: number } => {
    const media = rows.filter(({ gap }) => !gap);
    const totalMs = media.reduce((sum, { durationMs }) => sum + durationMs, 0);
    const bytes = media.reduce((sum, row) => sum + bytesOf(row), 0);
    const average = Math.ceil((bytes * 8000) / totalMs);
    const peak = media.reduce(
      (most, row) =>
        row.durationMs < minMs ? most : Math.max(most, Math.ceil((bytesOf(row) * 8000) / row.durationMs)),
      average,
    );
    return { peak, average };
  };
  return {
    init: facts,
    frameRate: facts.frameRate,
    playable: true,
    bitrate: rate(({ bytes }) => bytes),
    ...(facts.track === 'video' && { keyframeBitrate: rate(({ keyframeBytes }) => keyframeBytes) }),
  };
}
