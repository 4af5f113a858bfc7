import type { InitTrack } from '../fmp4/init.ts';
import { describeExchange } from '../http-client.ts';
import { Judge, notApplicable, notCheckable, type Rule } from '../judge.ts';
import { decimal, integer } from '../m3u8/attribute-list.ts';
import type { Segment } from '../m3u8/media-playlist.ts';
import type { Listing } from '../m3u8/multivariant.ts';
import type { CheckRecord, IFrameObservation, ObservedPlaylist } from '../record.ts';
import { resourceKey } from '../record.ts';

const MEDIA_URL = 'the URL is that of a media playlist; give that of the multivariant playlist';
/** Apple's limits, which are meant for an hour. */
const PEAK_LIMIT = 1.25;
const AVERAGE_LIMIT = 1.1;
/** An average of less media says little. */
const SHORT_AVERAGE_LIMIT = 1.25;
const LONG_S = 60;
const FRAME_RATE_TOLERANCE = 0.02;
const MAX_FRAME_RATE = 60.5;
const DEFAULT_BANDWIDTH = 2_000_000;
const CELLULAR_BANDWIDTH = 192_000;
const MAX_KEYFRAME_GAP_S = 2.5;

/** What was measured of a playlist's media. */
interface Measured {
  readonly tracks: readonly InitTrack[];
  /** bit/s by msn. */
  readonly rates: ReadonlyMap<number, { readonly bits: number; readonly durationS: number }>;
  readonly frameRate: number | undefined;
  readonly longestKeyframeGapS: number;
}

function measure({ media }: CheckRecord, observed: ObservedPlaylist): Measured {
  const segments = [...new Set<Segment>(observed.versions.flatMap(({ playlist }) => playlist.segments))];
  const rates = new Map<number, { bits: number; durationS: number }>();
  const tracks = new Map<string, InitTrack>();
  let [frames, framesS, gapS] = [0, 0, 0];
  for (const segment of segments) {
    const fetched = media.get(resourceKey(segment));
    if (fetched?.facts === undefined) continue;
    const { facts } = fetched;
    for (const track of fetched.tracks) tracks.set(`${track.codec}/${track.width}x${track.height}`, track);
    rates.set(segment.msn, { bits: facts.bytes * 8, durationS: segment.durationS });
    frames += facts.sampleCount;
    framesS += facts.durationS;
    const marks = [...facts.independentAtS, facts.startS + facts.durationS];
    if (facts.track.kind === 'video')
      gapS = Math.max(gapS, ...marks.slice(1).map((at, index) => at - (marks[index] ?? at)));
  }
  const frameRate = framesS === 0 ? undefined : frames / framesS;
  return { tracks: [...tracks.values()], rates, frameRate, longestKeyframeGapS: gapS };
}

function audioOf(record: CheckRecord, variant: Listing): ObservedPlaylist | undefined {
  const group = variant.attributes.get('AUDIO');
  const listed = record.multivariant?.last.media.find(
    ({ attributes, url }) =>
      attributes.get('TYPE') === 'AUDIO' && attributes.get('GROUP-ID') === group && url !== undefined,
  );
  return group === undefined ? undefined : record.playlists.find(({ url }) => url === listed?.url);
}

const variants: Rule = {
  id: 'L25',
  title: 'variants say BANDWIDTH, AVERAGE-BANDWIDTH, CODECS, RESOLUTION and FRAME-RATE, and it is so',
  check(record) {
    if (record.multivariant === undefined) return notCheckable(MEDIA_URL);
    const judge = new Judge();
    for (const variant of record.multivariant.last.variants) {
      const observed = record.playlists.find(({ url }) => url === variant.url);
      if (observed !== undefined) judgeVariant(judge, record, variant, observed);
    }
    return judge.finding('no variant could be loaded');
  },
};

function judgeVariant(judge: Judge, record: CheckRecord, variant: Listing, observed: ObservedPlaylist): void {
  const { attributes } = variant;
  const measured = measure(record, observed);
  const audio = audioOf(record, variant);
  const video = measured.tracks.find(({ kind }) => kind === 'video');
  const said = `${observed.name}: ${variant.line}`;
  const needed = [
    'BANDWIDTH',
    'AVERAGE-BANDWIDTH',
    'CODECS',
    ...(video === undefined ? [] : ['RESOLUTION', 'FRAME-RATE']),
  ];
  for (const name of needed) judge.expect(attributes.has(name), () => `${said} has no ${name}`);
  const tracks = [...measured.tracks, ...(audio === undefined ? [] : measure(record, audio).tracks)];
  const codecs =
    attributes
      .get('CODECS')
      ?.split(',')
      .map((codec) => codec.trim().toLowerCase()) ?? [];
  for (const { codec } of tracks) {
    const isListed = codecs.some(
      (listed) => listed === codec.toLowerCase() || (!codec.includes('.') && listed.startsWith(codec)),
    );
    judge.expect(isListed || codecs.length === 0, () => `${said}, but the media is ${codec}`);
  }
  const size = attributes.get('RESOLUTION');
  const isSize = video === undefined || size === undefined || size === `${video.width}x${video.height}`;
  judge.expect(isSize, () => `${said}, but the picture is ${video?.width}x${video?.height}`);
  const rate = decimal(attributes.get('FRAME-RATE'));
  if (video !== undefined && rate !== undefined && measured.frameRate !== undefined) {
    const isRate = Math.abs(rate - measured.frameRate) <= FRAME_RATE_TOLERANCE * measured.frameRate;
    judge.expect(isRate, () => `${said}, but there are ${measured.frameRate?.toFixed(3)} frames a second`);
  }
  judgeBandwidth(judge, said, attributes, combined(measured, audio && measure(record, audio)));
}

/** Rates of the picture with the sound beside it, by msn. */
function combined(video: Measured, audio: Measured | undefined): { bits: number; durationS: number }[] {
  return [...video.rates].flatMap(([msn, { bits, durationS }]) => {
    const sound = audio?.rates.get(msn);
    return audio !== undefined && sound === undefined ? [] : [{ bits: bits + (sound?.bits ?? 0), durationS }];
  });
}

function judgeBandwidth(
  judge: Judge,
  said: string,
  attributes: Listing['attributes'],
  segments: readonly { bits: number; durationS: number }[],
): void {
  const bandwidth = integer(attributes.get('BANDWIDTH'));
  const average = integer(attributes.get('AVERAGE-BANDWIDTH'));
  const totalS = segments.reduce((total, { durationS }) => total + durationS, 0);
  if (totalS === 0) return;
  const targetS = Math.max(...segments.map(({ durationS }) => durationS));
  const long = segments.filter(({ durationS }) => durationS >= targetS / 2);
  const peak = Math.round(Math.max(...long.map(({ bits, durationS }) => bits / durationS)));
  const measured = Math.round(segments.reduce((total, { bits }) => total + bits, 0) / totalS);
  const limit = totalS >= LONG_S ? AVERAGE_LIMIT : SHORT_AVERAGE_LIMIT;
  judge.expect(
    bandwidth === undefined || peak <= bandwidth * PEAK_LIMIT,
    () => `${said}, but a segment has ${peak} bit/s`,
  );
  judge.expect(
    average === undefined || measured <= average * limit,
    () => `${said}, but ${totalS.toFixed(0)} s have ${measured} bit/s on average`,
  );
}

const ladder: Rule = {
  id: 'L26',
  title: 'one sound for all variants and beside them; default variant near 2 Mbit/s; avc1/hvc1, at most 60 fps',
  check(record) {
    if (record.multivariant === undefined) return notCheckable(MEDIA_URL);
    const judge = new Judge();
    const { variants: listed } = record.multivariant.last;
    const pictures = listed.filter(({ attributes }) => attributes.has('RESOLUTION'));
    const groups = new Set(pictures.map(({ attributes }) => attributes.get('AUDIO') ?? 'none'));
    judge.expect(groups.size <= 1, () => `variants have different audio groups: ${[...groups].join(', ')}`);
    for (const observed of record.playlists) {
      const { tracks, frameRate = 0, longestKeyframeGapS } = measure(record, observed);
      const isMuxed = tracks.some(({ kind }) => kind === 'video') && tracks.some(({ kind }) => kind === 'audio');
      judge.expect(!isMuxed, () => `${observed.name}: picture and sound are in the same segments`);
      const wrong = tracks.find(({ format }) => format === 'avc3' || format === 'hev1');
      judge.expect(
        wrong === undefined,
        () => `${observed.name}: sample entry ${wrong?.format}; avc1 or hvc1 is needed`,
      );
      const hasVideo = tracks.some(({ kind }) => kind === 'video');
      judge.expect(
        !hasVideo || frameRate <= MAX_FRAME_RATE,
        () => `${observed.name}: ${frameRate.toFixed(2)} frames a second`,
      );
      const gap = longestKeyframeGapS;
      judge.recommend(gap <= MAX_KEYFRAME_GAP_S, () => `${observed.name}: up to ${gap.toFixed(2)} s between keyframes`);
    }
    judgeDefault(judge, pictures);
    const lowest = Math.min(...listed.map(bandwidthOf));
    judge.recommend(
      lowest <= CELLULAR_BANDWIDTH,
      () => `the lowest variant has ${lowest} bit/s; cellular networks want 192000`,
    );
    return judge.finding('no variant is listed');
  },
};

function bandwidthOf({ attributes }: Listing): number {
  return integer(attributes.get('AVERAGE-BANDWIDTH')) ?? integer(attributes.get('BANDWIDTH')) ?? Infinity;
}

/** Players start with the first variant; judged by peaks or by averages, since either may be meant. */
function judgeDefault(judge: Judge, pictures: readonly Listing[]): void {
  const [first] = pictures;
  if (first === undefined) return;
  const peakOf = ({ attributes }: Listing): number => integer(attributes.get('BANDWIDTH')) ?? Infinity;
  const isNearest = [bandwidthOf, peakOf].some((rateOf) => {
    const distance = (listing: Listing): number => Math.abs(Math.log(rateOf(listing) / DEFAULT_BANDWIDTH));
    return pictures.every((other) => distance(first) <= distance(other));
  });
  judge.expect(isNearest, () => `the first variant is not the one nearest to 2 Mbit/s: ${first.line}`);
}

const iFrames: Rule = {
  id: 'L27',
  title: 'I-frame playlists, whose byte ranges hold exactly one IDR each; subtitles with the same target duration',
  check(record) {
    if (record.multivariant === undefined) return notCheckable(MEDIA_URL);
    const hasVideo = record.playlists.some((observed) =>
      measure(record, observed).tracks.some(({ kind }) => kind === 'video'),
    );
    if (!hasVideo) return notApplicable('there is no picture');
    const judge = new Judge();
    judge.expect(record.iFrames.length > 0, () => 'the multivariant playlist has no EXT-X-I-FRAME-STREAM-INF');
    for (const observation of record.iFrames) judgeIFrames(judge, observation);
    const targets = new Set(record.playlists.map(({ versions }) => versions[0]?.playlist.targetDurationS));
    const subtitles = record.playlists.filter(({ role }) => role === 'subtitles');
    judge.expect(subtitles.length === 0 || targets.size === 1, () => 'subtitles have another EXT-X-TARGETDURATION');
    return judge.finding('no I-frame playlist was seen');
  },
};

function judgeIFrames(judge: Judge, { listing, exchange, playlist, entries }: IFrameObservation): void {
  judge.expect(listing.url !== undefined, () => `${listing.line} has no URI`);
  const said = describeExchange(exchange);
  judge.expect(playlist !== undefined, () => `${said} is no playlist`);
  if (playlist === undefined) return;
  judge.expect(playlist.iFramesOnly, () => `${said} has no EXT-X-I-FRAMES-ONLY`);
  judge.expect(entries.length > 0, () => `${said} lists no picture`);
  for (const { media, line, url } of entries) {
    const { facts } = media;
    const what = `${said}: ${line} ${new URL(url).pathname}`;
    const holds =
      facts === undefined ? (media.problem ?? `answer ${media.exchange.status}`) : `${facts.sampleCount} frames`;
    const isOne = facts?.sampleCount === 1 && facts.startsIndependent;
    judge.expect(isOne, () => `${what} holds ${facts?.sampleCount === 1 ? 'a frame that is no IDR' : holds}`);
  }
  for (const [index, { line, media }] of entries.entries()) {
    const next = entries[index + 1]?.media.facts;
    const segment = playlist.segments.find(
      (candidate) => candidate.line === line && resourceKey(candidate) === keyOf(media.exchange.url, playlist.segments),
    );
    if (next === undefined || media.facts === undefined || segment === undefined) continue;
    const distanceS = next.startS - media.facts.startS;
    const isRight = distanceS <= 0 || Math.abs(distanceS - segment.durationS) < 0.1;
    judge.expect(isRight, () => `${said}: ${line}, but the next picture is ${distanceS.toFixed(3)} s later`);
  }
}

function keyOf(url: string, segments: readonly Segment[]): string {
  const segment = segments.find((candidate) => candidate.url === url);
  return segment === undefined ? url : resourceKey(segment);
}

/** Rules about the multivariant playlist. */
export const LADDER_RULES: readonly Rule[] = [variants, ladder, iFrames];
