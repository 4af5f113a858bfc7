import {
  type MediaRendition,
  type MultivariantSnapshot,
  orderVariants,
  type Variant,
} from '../../hls/multivariant-playlist.ts';
import type { SubtitleFacts, Title } from '../source/title.ts';
import type { VodAudio, VodRendition, VodVideo } from '../vod-rendition.ts';
import { burnOf, type SubtitleChoice } from './track-choice.ts';

/** Players start with a group of this kind; the other has the sound with more channels where there is one. */
const STEREO = 'stereo';
const SURROUND = 'surround';
const SUBTITLES = 'subtitles';

/** What subtitles for those who do not hear have (Apple's HLS authoring specification, 5.6). */
const FOR_HEARING_IMPAIRED =
  'public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound';

/** Name of the rendition of a text track, in paths. */
export function subtitleRendition(track: number): string {
  return `subtitles-${track}`;
}

/** The track that `subtitleRendition` names, `undefined` if it is no such name. */
export function subtitleTrack(rendition: string): number | undefined {
  const match = /^subtitles-(0|[1-9]\d{0,2})$/.exec(rendition);
  return match === null ? undefined : Number(match[1]);
}

/** The sounds of a group, the default first. */
interface SoundGroup {
  readonly groupId: string;
  readonly members: readonly VodAudio[];
}

/**
 * What the multivariant playlist of a title says. Where a sound has more than two channels there are two groups with the same
 * members (RFC 8216, section 4.3.4.2.1), and each rung is listed with either: players choose by `CHANNELS`.
 */
export function listTitle({
  title,
  renditions,
  subtitles,
}: {
  title: Title;
  renditions: readonly VodRendition[];
  subtitles: SubtitleChoice | undefined;
}): MultivariantSnapshot {
  const video = renditions.filter((rendition) => rendition.kind === 'video');
  const audio = renditions.filter((rendition) => rendition.kind === 'audio');
  const stereo = membersOf(audio, (a, b) => a.channels - b.channels);
  const surround = membersOf(audio, (a, b) => b.channels - a.channels);
  const groups = [
    { groupId: STEREO, members: stereo },
    ...(surround.some((member) => !stereo.includes(member)) ? [{ groupId: SURROUND, members: surround }] : []),
  ].filter(({ members }) => members.length > 0);
  const texts = subtitles === 'off' ? [] : listSubtitles(title, subtitles);
  const subtitleGroup = texts.length === 0 ? undefined : SUBTITLES;
  const isGrouped = video.length > 0 || stereo.length > 1;
  return {
    media: [
      ...(isGrouped ? groups.flatMap(({ groupId, members }) => listAudio(title, groupId, members)) : []),
      ...texts,
    ],
    variants:
      video.length === 0
        ? groups.map(({ groupId, members }) => soundVariant(members, isGrouped ? groupId : undefined, subtitleGroup))
        : listVideo(video, groups, subtitleGroup),
    iframeVariants: [],
  };
}

/** Every rung with each group, the rungs in the same order. */
function listVideo(
  video: readonly VodVideo[],
  groups: readonly SoundGroup[],
  subtitleGroup: string | undefined,
): Variant[] {
  const [first, ...others] = groups;
  const ordered = orderVariants(video.map((rung) => videoVariant(rung, first, subtitleGroup)));
  const rungs = ordered.map(({ uri }) => video.find(({ name }) => playlistUri(name) === uri));
  const sorted = rungs.filter((rung) => rung !== undefined);
  return [...ordered, ...others.flatMap((group) => sorted.map((rung) => videoVariant(rung, group, subtitleGroup)))];
}

/** One rendition of each track, the default first: of a track's several the one that comes first by `compare`. */
function membersOf(audio: readonly VodAudio[], compare: (a: VodAudio, b: VodAudio) => number): VodAudio[] {
  const tracks = [...new Set(audio.map(({ trackIndex }) => trackIndex))];
  const members = tracks.map((track) => audio.filter(({ trackIndex }) => trackIndex === track).sort(compare)[0]);
  return members.filter((member) => member !== undefined).sort((a, b) => Number(b.isDefault) - Number(a.isDefault));
}

function listAudio({ audio }: Title, groupId: string, members: readonly VodAudio[]): MediaRendition[] {
  const names = uniqueNames(members.map((member) => audioName(member, audio[member.trackIndex]?.title)));
  const isFirstOf = firstsBy(members, ({ language }) => language ?? '');
  return members.map((member, index) => ({
    type: 'AUDIO',
    groupId,
    name: names[index] ?? member.name,
    uri: playlistUri(member.name),
    language: member.language,
    isDefault: index === 0,
    isAutoselect: isFirstOf(member),
    channels: member.channels,
  }));
}

/** @param own what the file calls it */
function audioName({ title, language }: VodAudio, own: string | undefined): string {
  return own ?? (language === undefined ? title : languageName(language));
}

function listSubtitles(title: Title, choice: Exclude<SubtitleChoice, 'off'> | undefined): MediaRendition[] {
  const texts = title.subtitles.map((facts, track) => ({ facts, track })).filter(({ facts }) => facts.kind === 'text');
  const names = uniqueNames(texts.map(({ facts, track }) => subtitleName(facts, track)));
  const chosen = typeof choice === 'number' ? choice : texts.find(({ facts }) => facts.isDefault)?.track;
  const shown = burnOf({ subtitles: choice }) === undefined ? chosen : undefined;
  // The one that is shown counts first: it has to be one of those that players may select by themselves.
  const ordered = [...texts].sort((a, b) => Number(b.track === shown) - Number(a.track === shown));
  const isFirstOf = firstsBy(
    ordered,
    ({ facts }) => `${facts.language ?? ''} ${facts.isForced} ${facts.isForHearingImpaired}`,
  );
  return texts.map((text, index) => ({
    type: 'SUBTITLES',
    groupId: SUBTITLES,
    name: names[index] ?? subtitleRendition(text.track),
    uri: playlistUri(subtitleRendition(text.track)),
    language: text.facts.language,
    isDefault: text.track === shown,
    isAutoselect: isFirstOf(text),
    isForced: text.facts.isForced,
    characteristics: text.facts.isForHearingImpaired ? FOR_HEARING_IMPAIRED : undefined,
  }));
}

function subtitleName({ title, language, isForced }: SubtitleFacts, track: number): string {
  const name = title ?? (language === undefined ? `Subtitles ${track + 1}` : languageName(language));
  return isForced && title === undefined ? `${name} (forced)` : name;
}

/** What English speakers call a language; its code if that is unknown. */
function languageName(code: string): string {
  try {
    return new Intl.DisplayNames(['en'], { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}

function videoVariant(rung: VodVideo, group: SoundGroup | undefined, subtitleGroup: string | undefined): Variant {
  const members = group?.members ?? [];
  return {
    uri: playlistUri(rung.name),
    bandwidth: rung.bandwidth + highest(members, ({ bandwidth }) => bandwidth),
    averageBandwidth: rung.averageBandwidth + highest(members, ({ averageBandwidth }) => averageBandwidth),
    codecs: [rung.codec, ...members.map(({ codec }) => codec)],
    width: rung.width,
    height: rung.height,
    frameRate: rung.frameRate,
    audioGroup: group?.groupId,
    subtitleGroup,
  };
}

/** A title without a picture: the default sound is the variant itself, and a member of its group too if there are more. */
function soundVariant(
  members: readonly VodAudio[],
  audioGroup: string | undefined,
  subtitleGroup: string | undefined,
): Variant {
  const [first] = members;
  return {
    uri: playlistUri(first?.name ?? ''),
    bandwidth: highest(members, ({ bandwidth }) => bandwidth),
    averageBandwidth: highest(members, ({ averageBandwidth }) => averageBandwidth),
    codecs: members.map(({ codec }) => codec),
    ...{ width: undefined, height: undefined, frameRate: undefined },
    ...{ audioGroup, subtitleGroup },
  };
}

function playlistUri(rendition: string): string {
  return `${rendition}/index.m3u8`;
}

function highest<T>(items: readonly T[], figure: (item: T) => number): number {
  return Math.max(0, ...items.map(figure));
}

/** True for the first item of each kind. */
function firstsBy<T>(items: readonly T[], kindOf: (item: T) => string): (item: T) => boolean {
  const firsts = new Map<string, T>();
  for (const item of items) if (!firsts.has(kindOf(item))) firsts.set(kindOf(item), item);
  return (item) => firsts.get(kindOf(item)) === item;
}

/** A group's names have to differ: the second of a name gets a number. */
function uniqueNames(names: readonly string[]): string[] {
  const taken = new Set<string>();
  return names.map((name) => {
    let unique = name;
    for (let number = 2; taken.has(unique); number += 1) unique = `${name} (${number})`;
    taken.add(unique);
    return unique;
  });
}
