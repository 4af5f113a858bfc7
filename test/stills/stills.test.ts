import { expect, it } from 'vitest';
import { Stills } from '../../src/stills/stills.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { colourKeyframes, decodeJpeg, listKeyframes } from '../support/pictures.ts';

it('Stills gives thumbnails, storyboards and their sheets of live broadcasts until it is closed', async () => {
  const keyframes = listKeyframes(await colourKeyframes([0xff0000, 0x0000ff]), { startMs: 250_000_000 });
  const source = (broadcast: string): typeof keyframes => (broadcast === 'live/demo' ? keyframes : []);
  const stills = new Stills({ keyframes: source, binaryPath: 'ffmpeg', clock: new ManualClock() });
  const [thumbnail, { vtt }, sheet] = await Promise.all([
    stills.thumbnail('live/demo'),
    stills.storyboard('live/demo'),
    stills.sprite('live/demo', 1_000),
  ]);
  expect((await decodeJpeg(thumbnail)).width).toBe(320);
  expect(vtt).toBe(
    [
      'WEBVTT',
      'NOTE 00:00:00.000 is 1970-01-03T21:26:40.000Z',
      '00:00:00.000 --> 00:00:10.000\nstoryboard-1000.jpg#xywh=0,0,160,90',
      '00:00:10.000 --> 00:00:20.000\nstoryboard-1000.jpg#xywh=160,0,160,90\n',
    ].join('\n\n'),
  );
  expect((await decodeJpeg(sheet)).width).toBe(800);
  for (const ask of [stills.thumbnail('live/x'), stills.storyboard('live/x'), stills.sprite('live/x', 1_000)]) {
    await expect(ask).rejects.toMatchObject({ code: 'NOT_FOUND' });
  }
  expect(await stills.sprite('live/demo', 1_000)).toBe(sheet);
  await stills.close();
  keyframes.push({ ...keyframes[0]!, msn: 9, programDateTimeMs: 250_020_000 });
  await expect(stills.sprite('live/demo', 1_000)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
