import { parseRemoteUrl, remoteUrl } from '../../remote/remote-url.ts';
import { parseMediaPlaylist } from '../playlist/media-playlist.ts';
import { parseMultivariant } from '../playlist/multivariant-playlist.ts';
import { playlistKind } from '../playlist/playlist-text.ts';
import type { SourceFetcher } from '../pool/source-fetcher.ts';
import { lookAt } from './stream-kind.ts';
import { type UpstreamRendition, uriOf } from './upstream-ladder.ts';
import type { ProbeFinding } from './url-rotation.ts';

/** What is looked at. */
export interface ProbeOptions {
  readonly url: string;
  readonly fetcher: SourceFetcher;
  /** A rendition that somebody follows; `undefined` for a continuous stream. */
  readonly rendition: UpstreamRendition | undefined;
  readonly signal: AbortSignal;
}

/** Looks whether the first address of a source works again; `undefined` if not. Never rejects. */
export async function probeAddress({
  url,
  fetcher,
  rendition,
  signal,
}: ProbeOptions): Promise<ProbeFinding | undefined> {
  try {
    const target = parseRemoteUrl(url);
    if (rendition === undefined) return (await lookAt(fetcher, target, signal)) === 'mpegts' ? {} : undefined;
    let answer = await fetcher.text(target, { signal });
    if (answer.status === 'unchanged') return undefined;
    let imports: ReadonlyMap<string, string> | undefined;
    if (playlistKind(answer.text) === 'multivariant') {
      const multivariant = parseMultivariant(answer.text, answer.finalUrl);
      const uri = uriOf(rendition, multivariant);
      if (uri === undefined) return undefined;
      imports = multivariant.variables;
      answer = await fetcher.text(remoteUrl(uri), { signal });
      if (answer.status === 'unchanged') return undefined;
    }
    const { ended, mediaSequence, segments } = parseMediaPlaylist(answer.text, answer.finalUrl, imports);
    return ended || segments.length === 0 ? undefined : { newestSegment: mediaSequence + segments.length - 1 };
  } catch {
    return undefined;
  }
}
