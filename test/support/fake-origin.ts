import type { MediaFile } from '../../src/hls/media-file.ts';
import type { Answer, ClientSignal, MediaRequest, PlaylistRequest } from '../../src/hls/playback.ts';
import { RenderedPlaylist } from '../../src/hls/rendered-playlist.ts';
import type { PlaybackOrigin } from '../../src/http/live-replies.ts';
import { AppError } from '../../src/util/errors.ts';

/** Holds every request that has a position, and those for files that are not there, until the test says. */
export class FakeOrigin implements PlaybackOrigin {
  readonly options = { windowSegments: 8, segmentTargetMs: 2_000 };
  readonly viewers = { see: () => undefined };
  readonly requests: PlaylistRequest[] = [];
  readonly files = new Map<string, MediaFile>();
  readonly #waiting = new Set<(result: RenderedPlaylist | MediaFile | AppError) => void>();
  playlist = new RenderedPlaylist('#EXTM3U\nvideo-1.m4s\n');

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.size;
  }

  multivariant(): RenderedPlaylist {
    return this.playlist;
  }

  iframes(): RenderedPlaylist {
    return this.playlist;
  }

  clipMultivariant(): RenderedPlaylist {
    return this.playlist;
  }

  clip(): RenderedPlaylist {
    return this.playlist;
  }

  requestPlaylist(request: PlaylistRequest, answer: Answer<RenderedPlaylist>): void {
    this.requests.push(request);
    if (request.rendition === 'none') answer(new AppError('NOT_FOUND', 'no such rendition'));
    else if (request.position === undefined) answer(this.playlist);
    else this.#wait(request.signal, answer as Answer<RenderedPlaylist | MediaFile>);
  }

  requestMedia(request: MediaRequest, answer: Answer<MediaFile>): void {
    const file = this.files.get(request.file);
    if (file !== undefined) answer(file);
    else this.#wait(request.signal, answer as Answer<RenderedPlaylist | MediaFile>);
  }

  /** Answers all that wait. */
  wake(result: RenderedPlaylist | MediaFile | AppError): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const answer of waiting) answer(result);
  }

  #wait(signal: ClientSignal, answer: Answer<RenderedPlaylist | MediaFile>): void {
    this.#waiting.add(answer);
    signal.addEventListener('abort', { handleEvent: () => void this.#waiting.delete(answer) });
  }
}
