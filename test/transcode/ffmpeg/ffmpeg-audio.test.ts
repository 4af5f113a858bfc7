import { describe, expect, it } from 'vitest';
import { buildRun, softwareFactory, transcodeAll } from '../../support/transcode-run.ts';
import { audioSource, ptsOf, videoSource } from '../../support/transcode-source.ts';

const factory = await softwareFactory();

describe('an ffmpeg audio rendition', () => {
  it('is AAC on the source’s timeline when the source is Opus', async () => {
    const source = await audioSource('libopus');
    const output = await transcodeAll(factory, { name: 'radio', audioBitrateKbps: 96 }, source);
    expect(output[0]!.init).toMatchObject({ kind: 'audio', codec: 'mp4a.40.2', sampleRate: 48_000, channels: 2 });
    const pts = ptsOf(output);
    // Opus begins with 312 samples of pre-skip; what AAC puts before time zero is left out.
    expect(pts[0]).toBe(source.fragments[0]!.firstPts + 312);
    pts.slice(1).forEach((at, index) => expect(at - pts[index]!).toBe(1024));
    const seconds = (output.at(-1)!.endPts - pts[0]!) / 48_000;
    expect(seconds).toBeGreaterThan(2.9);
    expect(seconds).toBeLessThan(3.1);
  });

  it('of a rung of its own has the rung’s bitrate, at most two channels and the source’s sample rate', async () => {
    const source = await audioSource('aac', 6);
    const spec = { name: '240p', height: 240, audio: 'own' as const, audioBitrateKbps: 32 };
    const output = await transcodeAll(factory, spec, source);
    expect(output[0]!.init).toMatchObject({ codec: 'mp4a.40.2', sampleRate: 48_000, channels: 2 });
    const bits = output.reduce((sum, { payload }) => sum + payload.length * 8, 0);
    expect(bits / 3).toBeLessThan(45_000);
  });

  it('is made for audio-only rungs and rungs with audio of their own, from nothing but audio', async () => {
    const [audio, video] = [await audioSource('aac', 2, 0.2), await videoSource({ seconds: 0.2 })];
    const made = (spec: Parameters<typeof buildRun>[1], source: typeof audio): boolean =>
      !('optOut' in buildRun(factory, spec, source));
    expect(made({ name: 'radio', audioBitrateKbps: 64 }, audio)).toBe(true);
    expect(made({ name: 'radio', audioBitrateKbps: 64 }, video)).toBe(false);
    expect(made({ name: '240p', height: 240, audio: 'own' }, audio)).toBe(true);
    expect(made({ name: '240p', height: 240 }, audio)).toBe(false);
    expect(made({ name: 'audio' }, audio)).toBe(false);
    expect(made({ name: 'original', factory: 'passthrough' }, video)).toBe(false);
  });
});
