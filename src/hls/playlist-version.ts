import type { PlaylistView } from './playback.ts';
import { RenderedPlaylist } from './rendered-playlist.ts';

/** A media playlist at one moment, in all its views; each is rendered when it is first asked for. */
export class PlaylistVersion {
  readonly #render: (view: PlaylistView) => string;
  readonly #views: (RenderedPlaylist | undefined)[] = [];

  /** @param render must give the same text for the same view at any time */
  constructor(render: (view: PlaylistView) => string) {
    this.#render = render;
  }

  view(view: PlaylistView): RenderedPlaylist {
    const index = Number(view.window === 'live') + 2 * Number(view.skip);
    return (this.#views[index] ??= new RenderedPlaylist(this.#render(view)));
  }
}
