import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';

/** The fastest level: on playlists the others save next to nothing. */
const GZIP_LEVEL = 1;

/** One version of a playlist, shared by all who ask for it. */
export class RenderedPlaylist {
  readonly plain: Buffer;
  /** Entity tag with its quotes; the same content has the same one. */
  readonly etag: string;
  #gzip: Buffer | undefined;

  constructor(text: string) {
    this.plain = Buffer.from(text);
    this.etag = `W/"${createHash('sha1').update(this.plain).digest('base64url').slice(0, 16)}"`;
  }

  /** The same, compressed once at the first use. */
  get gzip(): Buffer {
    this.#gzip ??= gzipSync(this.plain, { level: GZIP_LEVEL });
    return this.#gzip;
  }
}

/** Keeps the newest version of one playlist, rendered when it is first asked for. */
export class PlaylistMemo {
  #version: string | undefined;
  #rendered: RenderedPlaylist | undefined;

  /** The playlist of `version`; `render` is called only if that is not the one at hand. */
  get(version: string, render: () => string): RenderedPlaylist {
    if (this.#rendered === undefined || this.#version !== version) {
      const text = render();
      if (this.#rendered?.plain.toString() !== text) this.#rendered = new RenderedPlaylist(text);
      this.#version = version;
    }
    return this.#rendered;
  }
}
