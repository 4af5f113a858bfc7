import type { Title, VideoFacts } from '../source/title.ts';
import type { VodRendition } from '../vod-rendition.ts';
import type { AudioTrackView, RenditionView, SessionView, SubtitleTrackView, VideoView } from './session-view.ts';

interface TracksToView {
  readonly title: Title;
  readonly renditions: readonly VodRendition[];
  /** Why subtitle tracks cannot be shown, by their index. */
  readonly subtitleFailures: ReadonlyMap<number, string>;
}

/** What a title has, and what viewers can choose from, as REST shows it. */
export function viewTracks({
  title,
  renditions,
  subtitleFailures,
}: TracksToView): Pick<SessionView, 'video' | 'audio' | 'subtitles' | 'renditions'> {
  const { video } = title;
  return {
    ...(video !== undefined && { video: viewVideo(video) }),
    audio: title.audio.map(({ codec, channels, ...facts }, index) => ({ index, codec, channels, ...namesOf(facts) })),
    subtitles: title.subtitles.map(({ codec, kind, isForced, ...facts }, index) => {
      const failure = subtitleFailures.get(index);
      return { index, codec, kind, isForced, ...namesOf(facts), ...(failure !== undefined && { failure }) };
    }),
    renditions: renditions.map(viewRendition),
  };
}

function viewVideo({ codec, width, height, frameRate, copyObjection }: VideoFacts): VideoView {
  return { codec, width, height, frameRate, ...(copyObjection !== undefined && { copyObjection }) };
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
