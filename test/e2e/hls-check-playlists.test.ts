import { beforeAll, describe } from 'vitest';
import { type Defect, failure } from '../support/check-origin.ts';
import { FIRST_MSN } from '../support/check-playlists.ts';
import { inLo, isLo, CheckRuns, findsEach, type PlantedDefect } from '../support/check-runs.ts';

const inPlaylists =
  (from: string | RegExp, to: string): NonNullable<Defect['text']> =>
  (text, { kind }) =>
    kind === 'playlist' ? text.replaceAll(from, to) : text;

const DEFECTS: readonly PlantedDefect[] = [
  {
    item: 'L1',
    name: 'parts without PART-INF',
    text: inLo(/#EXT-X-PART-INF.*\n/g, ''),
    evidence: /without EXT-X-PART-INF/,
  },
  {
    item: 'L1',
    name: 'parts longer than their target',
    evidence: /DURATION=0.25000.*longer than PART-TARGET=0.2/,
    text: inLo('PART-TARGET=0.25000', 'PART-TARGET=0.2'),
  },
  {
    item: 'L1',
    name: 'a part duration that is not the media',
    evidence: /DURATION=0.24000.*holds 0.25000 s/,
    text: inLo(/0\.25000(,URI="part-\d+-2)/g, '0.24000$1'),
  },
  {
    item: 'L1',
    name: 'segments that are not their parts',
    evidence: /24 frames, its parts 24, or not the same/,
    reply: (reply, request) => {
      if (request.kind !== 'segment' || request.rendition !== 'lo' || reply.body.length === 0) return reply;
      const body = Buffer.from(reply.body);
      body.writeUInt8(body.readUInt8(body.length - 1) ^ 0xff, body.length - 1);
      return { ...reply, body };
    },
  },
  { item: 'L2', name: 'a short PART-HOLD-BACK', settings: { partHoldBackS: 0.625 }, evidence: /PART-HOLD-BACK=0.625/ },
  { item: 'L3', name: 'a short HOLD-BACK', settings: { holdBackS: 2 }, evidence: /HOLD-BACK=2 is less than 3 x/ },
  { item: 'L3', name: 'a short CAN-SKIP-UNTIL', settings: { skipBoundaryS: 5 }, evidence: /CAN-SKIP-UNTIL=5/ },
  {
    item: 'L4',
    name: 'another SERVER-CONTROL',
    text: inLo(',HOLD-BACK=3', ',HOLD-BACK=4'),
    evidence: /lo\/video.m3u8.*HOLD-BACK=4/,
  },
  {
    item: 'L6',
    name: 'keyframes that are not marked',
    text: inLo(',INDEPENDENT=YES', ''),
    evidence: /part-\d+-0.m4s" starts with an IDR/,
  },
  {
    item: 'L6',
    name: 'marks on parts without a keyframe',
    evidence: /INDEPENDENT=YES does not start with an IDR/,
    text: inLo(/(URI="part-\d+-1.m4s")/g, '$1,INDEPENDENT=YES'),
  },
  { item: 'L7', name: 'parts published in pairs', publishEachS: 0.5, evidence: /a part each \d+ ms, PART-TARGET=0.25/ },
  { item: 'L8', name: 'old parts in the playlist', settings: { partWindowS: 60 }, evidence: /still has parts/ },
  {
    item: 'L8',
    name: 'parts that go with their tag',
    evidence: /left the playlist and answers 404/,
    reply: (reply, { kind, path, openMsn }) =>
      kind === 'part' && Number(/part-(\d+)/.exec(path)?.[1]) < openMsn - 3 ? failure(404) : reply,
  },
  {
    item: 'L9',
    name: 'a rendition with another TARGETDURATION',
    evidence: /TARGETDURATION differs/,
    settings: { holdBackS: 6, skipBoundaryS: 12 },
    text: inLo('TARGETDURATION:1', 'TARGETDURATION:2'),
  },
  {
    item: 'L9',
    name: 'an EXTINF that is not the media',
    text: inLo(/1\.00000(,\nseg-113)/g, '1.00700$1'),
    evidence: /EXTINF:1.00700, holds 1.00000/,
  },
  {
    item: 'L10',
    name: 'a window of four segments',
    settings: { windowSegments: 4 },
    evidence: /has 4 segments, at least are 6/,
  },
  {
    item: 'L10',
    name: 'a PLAYLIST-TYPE in a sliding playlist',
    evidence: /EXT-X-PLAYLIST-TYPE:EVENT/,
    text: inLo('#EXT-X-INDEPENDENT', '#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-INDEPENDENT'),
  },
  {
    item: 'L10',
    name: 'segments that go with their line',
    evidence: /left the playlist and answers 404/,
    reply: (reply, { kind, path, openMsn }) =>
      kind === 'segment' && Number(/seg-(\d+)/.exec(path)?.[1]) < openMsn - 9 ? failure(404) : reply,
  },
  {
    item: 'L11',
    name: 'a listed segment that changes',
    evidence: /msn \d+: .*became.*\?moved/,
    text: (text, request) => {
      const old = `seg-${request.openMsn - 3}.m4s`;
      return isLo(request) ? text.replace(old, `${old}?moved`) : text;
    },
  },
  {
    item: 'L22',
    name: 'no dates',
    text: inPlaylists(/#EXT-X-PROGRAM-DATE-TIME.*\n/g, ''),
    evidence: /no EXT-X-PROGRAM-DATE-TIME/,
  },
  {
    item: 'L22',
    name: 'no date after a discontinuity',
    evidence: /msn 106: no EXT-X-PROGRAM-DATE-TIME after/,
    text: inLo(/(#EXT-X-DISCONTINUITY\n#EXT-X-MAP.*\n)#EXT-X-PROGRAM.*\n/g, '$1'),
  },
  {
    item: 'L23',
    name: 'another init without a discontinuity',
    evidence: /without EXT-X-DISCONTINUITY: EXT-X-MAP becomes .*init-1/,
    text: (text, { kind }) =>
      kind === 'playlist' ? text.replace('#EXT-X-DISCONTINUITY\n', '').replace('SEQUENCE:1\n', 'SEQUENCE:0\n') : text,
  },
  {
    item: 'L23',
    name: 'discontinuities that are not counted',
    evidence: /number becomes 1, then 0/,
    text: inPlaylists('DISCONTINUITY-SEQUENCE:1', 'DISCONTINUITY-SEQUENCE:0'),
    seconds: 6,
  },
  {
    item: 'L24',
    name: 'a listed segment that is not there',
    evidence: /seg-113.m4s is listed without a gap and answers 404/,
    reply: (reply, { path }) => (path.endsWith(`lo/seg-${FIRST_MSN + 13}.m4s`) ? failure(404) : reply),
  },
  {
    item: 'L24',
    name: 'media that cannot be read',
    evidence: /cannot be read/,
    reply: (reply, { path }) =>
      path.endsWith(`lo/seg-${FIRST_MSN + 13}.m4s`) ? { ...reply, body: reply.body.subarray(0, -5) } : reply,
  },
];

describe('a check of playlists', () => {
  const runs = new CheckRuns();
  beforeAll(() => runs.start(DEFECTS));

  findsEach(runs, DEFECTS);
});
