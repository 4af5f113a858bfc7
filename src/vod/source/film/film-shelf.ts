import type { Film } from './load-film.ts';

const MAX_BYTES = 64 * 1024 * 1024;
/** What a segment takes besides its address. */
const SEGMENT_BYTES = 300;

/** Keeps what is known of playlists, as many as there is room for: those that were used last. Others are loaded anew. */
export class FilmShelf {
  readonly #maxBytes: number;
  /** The one used last at the end. */
  readonly #films = new Map<string, { readonly film: Film; readonly bytes: number }>();
  #bytes = 0;

  /** @param maxBytes about so much memory; one film is always kept */
  constructor(maxBytes: number = MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get(name: string): Film | undefined {
    const entry = this.#films.get(name);
    if (entry === undefined) return undefined;
    this.#films.delete(name);
    this.#films.set(name, entry);
    return entry.film;
  }

  put(name: string, film: Film): void {
    this.#drop(name);
    const bytes = bytesOf(film);
    this.#films.set(name, { film, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#films.keys()) {
      if (this.#bytes <= this.#maxBytes || this.#films.size === 1) return;
      this.#drop(oldest);
    }
  }

  #drop(name: string): void {
    this.#bytes -= this.#films.get(name)?.bytes ?? 0;
    this.#films.delete(name);
  }
}

function bytesOf({ video, audio }: Film): number {
  const all = [...video.segments, ...(audio?.segments ?? [])];
  return all.reduce((sum, { href }) => sum + href.length + SEGMENT_BYTES, 0);
}
