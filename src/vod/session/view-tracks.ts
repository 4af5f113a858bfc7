import type { Title } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import type { AudioTrackView, RenditionView, SessionView, SubtitleTrackView } from './session-view.ts';

/** What a title has, and what viewers can choose from, as REST shows it. */
export function viewTracks({
  title,
  renditions,
}: {
  title: Title;
  renditions: readonly VodRendition[];
}): Required<Pick<SessionView, 'audio' | 'subtitles' | 'renditions'>> {
  return {
    audio: title.audio.map(({ codec, channels, ...facts }, index) => ({ index, codec, channels, ...namesOf(facts) })),
    subtitles: title.subtitles.map(({ codec, kind, isForced, ...facts }, index) => ({
      ...{ index, codec, kind, isForced },
      ...namesOf(facts),
    })),
    renditions: renditions.map(viewRendition),
  };
}

function namesOf({
  language,
  title,
}: {
  readonly language: string | undefined;
  readonly title: string | undefined;
}): Pick<AudioTrackView & SubtitleTrackView, 'language' | 'title'> {
  return { ...(language !== undefined && { language }), ...(title !== undefined && { title }) };
}

function viewRendition(rendition: VodRendition): RenditionView {
  const { name, kind, mode, codec, bandwidth } = rendition;
  const common = { name, kind, mode, codec, bandwidth };
  return rendition.kind === 'video'
    ? { ...common, width: rendition.width, height: rendition.height }
    : { ...common, channels: rendition.channels };
}
