import { describe, expect, it } from 'vitest';
import { profileHash } from '../../../src/cache/encode-profile.ts';
import { encodeProfile } from '../../../src/vod/encode/encode-profile.ts';
import type { Title } from '../../../src/vod/source/title.ts';
import type { VodRendition } from '../../../src/vod/vod-rendition.ts';
import { audioOf, cheapRung, copyOf, testBinary, videoOf } from '../../support/vod-heads.ts';

const film: Title = {
  source: {
    ...{ kind: 'file', label: 'films/a.mp4', identity: '/films/a.mp4 100 5', sizeBytes: 100, path: '/films/a.mp4' },
    openInput: () => Promise.reject(new Error('not needed')),
    openBytes: () => Promise.reject(new Error('not needed')),
  },
  ...{ format: 'mov,mp4,m4a,3gp,3g2,mj2', startTicks: 0, durationTicks: 900_000, subtitles: [] },
  video: {
    ...{ streamIndex: 0, codec: 'h264', width: 640, height: 360, frameRate: 24, isInterlaced: false, isHdr: false },
    ...{ bitrate: undefined, copyObjection: undefined },
    copy: { codec: 'avc1.64001e', averageBandwidth: 1e6, bandwidth: 2e6, reorderTicks: 0 },
  },
  audio: [1, 2].map((streamIndex) => ({
    ...{ streamIndex, codec: 'aac', profile: 'LC', channels: 2, sampleRate: 48_000, bitrate: undefined },
    ...{ language: undefined, title: undefined, isDefault: false, startTicks: 0 },
  })),
  plan: { boundaries: [0, 360_000, 900_000], keyframes: [0, 360_000], atKeyframes: true },
};
const hash = (title: Title, rendition: VodRendition = videoOf(title), binary = testBinary): string =>
  profileHash(encodeProfile(title, rendition, binary));

describe('the profile of a rendition', () => {
  it('tells people what it is of, and the cache where that lies', () => {
    expect(encodeProfile(film, videoOf(film), testBinary)).toMatchObject({
      ...{ source: '/films/a.mp4 100 5', place: '/films/a.mp4', sourceLabel: 'films/a.mp4' },
      ...{ quality: 'small', audioIndex: -1, encoder: `ffmpeg ${testBinary.version} libx264` },
    });
    expect(encodeProfile(film, audioOf(film, 'audio-1'), testBinary)).toMatchObject({
      quality: 'audio-1',
      audioIndex: 1,
    });
  });

  it('does not hold where the source lies, so that its hash alone can be kept', () => {
    expect(encodeProfile(film, videoOf(film), testBinary).template).not.toContain('/films');
  });

  it('is another one for anything that changes a byte', () => {
    const plan = { ...film.plan, boundaries: [0, 450_000, 900_000] };
    const video = { ...film.video!, isInterlaced: true };
    const hashes = [
      hash(film),
      hash(film, copyOf(film)),
      hash(film, audioOf(film)),
      hash(film, { ...audioOf(film), mode: 'encode' }),
      hash(film, audioOf(film, 'audio-1')),
      hash(film, videoOf(film, cheapRung({ preset: 'veryfast' }))),
      hash(film, videoOf(film, cheapRung({ videoBitrateKbps: 301 }))),
      hash(film, videoOf(film, cheapRung({ maxFrameRate: 12 }))),
      hash(film, videoOf(film), { ...testBinary, version: '9.0' }),
      hash({ ...film, plan }),
      hash({ ...film, startTicks: 1 }),
      hash({ ...film, video }),
      hash({ ...film, source: { ...film.source, identity: '/films/a.mp4 100 6' } }),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });

  it('is the same for all that does not', () => {
    const other = { ...film.source, label: 'renamed', sizeBytes: 7 };
    const plan = { ...film.plan, keyframes: [0], atKeyframes: false };
    expect(hash({ ...film, source: other, plan, durationTicks: 1 })).toBe(hash(film));
  });
});
