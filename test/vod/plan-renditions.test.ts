import { describe, expect, it } from 'vitest';
import type { RenditionSpec } from '../../src/ladder/rendition.ts';
import { videoEncoder } from '../../src/transcode/ffmpeg/video-encoders.ts';
import { planRenditions, type RenditionRequest, softwareStandIn } from '../../src/vod/plan-renditions.ts';
import type { AudioFacts, CopyFacts, Title, VideoFacts } from '../../src/vod/source/title.ts';
import type { VodRendition } from '../../src/vod/vod-rendition.ts';

const LADDER: readonly RenditionSpec[] = [
  { name: 'original', factory: 'passthrough' },
  { name: '720p', width: 1280, height: 720, videoBitrateKbps: 2_500 },
  { name: '480p', width: 854, height: 480, videoBitrateKbps: 1_200, maxFrameRate: 30 },
  { name: 'audio', audioBitrateKbps: 96 },
];
const COPY: CopyFacts = { codec: 'avc1.640028', averageBandwidth: 5e6, bandwidth: 8e6, reorderTicks: 3_600 };

const choose: RenditionRequest['choose'] = () => ({ encoder: videoEncoder('libx264')!, reason: 'for tests' });

function video(facts: Partial<VideoFacts> = {}): VideoFacts {
  return {
    ...{ streamIndex: 0, codec: 'h264', width: 1920, height: 1080, frameRate: 25, isInterlaced: false, isHdr: false },
    ...{ bitrate: undefined, copy: undefined, copyObjection: undefined, ...facts },
  };
}

function sound(facts: Partial<AudioFacts> = {}): AudioFacts {
  return {
    ...{ streamIndex: 1, codec: 'aac', profile: 'LC', channels: 2, sampleRate: 48_000, bitrate: 160_000 },
    ...{ language: undefined, title: undefined, isDefault: false, startTicks: 0, ...facts },
  };
}

function title(facts: { video?: VideoFacts | undefined; audio?: readonly AudioFacts[] }): Title {
  return {
    source: { kind: 'file', label: 'film.mp4' } as Title['source'],
    ...{ format: 'mov', startTicks: 0, durationTicks: 900_000, video: facts.video, audio: facts.audio ?? [] },
    ...{ subtitles: [] },
    plan: { boundaries: [0, 180_000, 540_000, 900_000], keyframes: [], atKeyframes: false },
  };
}

function plan(of: Title, more: Partial<RenditionRequest> = {}): VodRendition[] {
  return planRenditions({ title: of, specs: LADDER, choose, ...more });
}

function names(renditions: readonly VodRendition[]): string[] {
  return renditions.map(({ name, mode }) => `${name} ${mode}`);
}

describe('the renditions of a title', () => {
  it('are the rungs of the ladder, the untouched picture among them, and each sound', () => {
    const planned = plan(
      title({ video: video({ copy: COPY }), audio: [sound(), sound({ codec: 'mp3', profile: undefined })] }),
    );
    expect(names(planned)).toEqual(['original copy', '720p encode', '480p encode', 'audio-0 copy', 'audio-1 encode']);
    expect(planned[0]).toMatchObject({ codec: 'avc1.640028', averageBandwidth: 5e6, bandwidth: 8e6, width: 1920 });
    expect(planned[1]).toMatchObject({ codec: 'avc1.64001f', width: 1280, height: 720, frameRate: 25 });
  });

  it('are encoded at the source’s size where its frames cannot be copied, within Full HD', () => {
    const planned = plan(title({ video: video({ width: 3840, height: 1600 }) }));
    expect(names(planned)).toEqual(['original encode', '720p encode', '480p encode']);
    expect(planned[0]).toMatchObject({ width: 1920, height: 800 });
  });

  it('are never larger than the source, and never two of one size', () => {
    expect(names(plan(title({ video: video({ width: 854, height: 480 }) })))).toEqual(['480p encode']);
    expect(names(plan(title({ video: video({ width: 640, height: 360 }) })))).toEqual(['original encode']);
    const rungs = LADDER.slice(1);
    const small = plan(title({ video: video({ width: 320, height: 180 }) }), { specs: rungs });
    expect(small).toMatchObject([{ name: '720p', mode: 'encode', width: 320, height: 180 }]);
  });

  it('leave frames out above a rung’s rate, every second or third one', () => {
    const planned = plan(title({ video: video({ frameRate: 60_000 / 1_001 }) }));
    expect(planned.map((rendition) => 'frameRate' in rendition && rendition.frameRate)).toEqual([
      60_000 / 1_001,
      60_000 / 1_001,
      30_000 / 1_001,
    ]);
  });

  it('announce no more than an encoder may use', () => {
    const [, hd] = plan(title({ video: video({ copy: COPY }) }));
    expect(hd!.averageBandwidth).toBeGreaterThanOrEqual(3_125_000);
    expect(hd!.averageBandwidth).toBeLessThan(3_150_000);
    // The shortest segment that counts has two seconds.
    expect(hd!.bandwidth).toBeGreaterThanOrEqual(3_125_000 + 1_125_000);
    expect(hd!.bandwidth).toBeLessThan(4_300_000);
  });

  it('burn pictures of subtitles into each picture', () => {
    const planned = plan(title({ video: video({ copy: COPY }) }), { burn: 2 });
    expect(planned.map((rendition) => [rendition.name, rendition.mode, 'burn' in rendition && rendition.burn])).toEqual(
      [
        ['original', 'encode', 2],
        ['720p', 'encode', 2],
        ['480p', 'encode', 2],
      ],
    );
  });

  it('offer more than two channels beside two', () => {
    const surround = sound({ channels: 6, bitrate: 384_000 });
    const planned = plan(title({ video: video(), audio: [surround, sound({ codec: 'ac3', channels: 8 })] })).slice(3);
    expect(
      planned.map((rendition) => [rendition.name, rendition.mode, 'channels' in rendition && rendition.channels]),
    ).toEqual([
      ['audio-0', 'encode', 2],
      ['audio-0-surround', 'copy', 6],
      ['audio-1', 'encode', 2],
      ['audio-1-surround', 'encode', 6],
    ]);
    expect(planned[0]!.averageBandwidth).toBe(96_000);
    expect(planned[1]).toMatchObject({ averageBandwidth: 384_000, codec: 'mp4a.40.2' });
  });

  it('copy nothing but AAC-LC that every player can play', () => {
    for (const facts of [{ profile: 'HE-AAC' }, { sampleRate: 96_000 }, { codec: 'opus' }]) {
      expect(names(plan(title({ audio: [sound(facts)] })))).toEqual(['audio-0 encode']);
    }
    expect(plan(title({ audio: [sound({ channels: 1, codec: 'mp3' })] }))).toMatchObject([{ channels: 1 }]);
  });

  it('mark the sound that was chosen, else the file’s own choice, else the first', () => {
    const audio = [sound(), sound({ isDefault: true }), sound()];
    const defaults = (request: Partial<RenditionRequest>, of = audio): boolean[] =>
      plan(title({ audio: of }), request).map((rendition) => 'isDefault' in rendition && rendition.isDefault);
    expect(defaults({})).toEqual([false, true, false]);
    expect(defaults({ audio: 2 })).toEqual([false, false, true]);
    expect(defaults({}, [sound(), sound()])).toEqual([true, false]);
  });

  it('have no picture with a ladder of sounds, unless there is nothing else', () => {
    const specs: RenditionSpec[] = [{ name: 'sound', audioBitrateKbps: 32 }];
    expect(names(plan(title({ video: video(), audio: [sound()] }), { specs }))).toEqual(['audio-0 copy']);
    expect(names(plan(title({ video: video() }), { specs }))).toEqual(['original encode']);
  });

  it('never have the name of a sound for a picture', () => {
    const specs: RenditionSpec[] = [{ name: 'audio-0', height: 480, videoBitrateKbps: 900 }];
    expect(names(plan(title({ video: video(), audio: [sound()] }), { specs }))).toEqual([
      'video-audio-0 encode',
      'audio-0 copy',
    ]);
  });

  it('leave out what no encoder may make, and refuse a title of which nothing is left', () => {
    const refuse: RenditionRequest['choose'] = () => ({ optOut: 'forbidden' });
    const of = title({ video: video({ copy: COPY }) });
    expect(names(plan(of, { choose: refuse }))).toEqual(['original copy']);
    expect(() => plan(title({ video: video() }), { choose: refuse })).toThrow(/film\.mp4 has no track/);
  });
});

describe('the stand-in of a hardware encoder', () => {
  it('is libx264 under the same name and codec', () => {
    const hardware: RenditionRequest['choose'] = () => ({ encoder: videoEncoder('h264_nvenc')!, reason: 'for tests' });
    const [, hd] = plan(title({ video: video({ copy: COPY }) }), { choose: hardware });
    const standIn = softwareStandIn(hd!);
    expect(standIn).toEqual({ ...hd, encoder: videoEncoder('libx264') });
    expect(softwareStandIn(standIn!)).toBeUndefined();
  });

  it('is not there for what is not encoded', () => {
    const planned = plan(title({ video: video({ copy: COPY }), audio: [sound()] }));
    expect(softwareStandIn(planned[0]!)).toBeUndefined();
    expect(softwareStandIn(planned.at(-1)!)).toBeUndefined();
  });
});
