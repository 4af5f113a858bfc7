import { describe, expect, it } from 'vitest';
import { parseProbe } from '../../../src/vod/source/probe.ts';

type Stream = Record<string, unknown>;

const VIDEO: Stream = {
  ...{ index: 0, id: '0x1', codec_type: 'video', codec_name: 'h264', profile: 'High', level: 40, pix_fmt: 'yuv420p' },
  ...{ width: 1920, height: 1080, avg_frame_rate: '24000/1001', r_frame_rate: '24000/1001', bit_rate: '5000000' },
  ...{ sample_aspect_ratio: '1:1', field_order: 'progressive', start_time: '0.000000' },
};
const AUDIO: Stream = {
  ...{ index: 1, codec_type: 'audio', codec_name: 'aac', profile: 'LC', channels: 2, sample_rate: '48000' },
};

function probe(streams: readonly Stream[], format: Stream = {}): ReturnType<typeof parseProbe> {
  const all = { format_name: 'matroska,webm', start_time: '0.000000', duration: '60.5', ...format };
  return parseProbe(Buffer.from(JSON.stringify({ streams, format: all })));
}

const video = (changes: Stream): ReturnType<typeof parseProbe>['video'] => probe([{ ...VIDEO, ...changes }]).video;

describe('parseProbe', () => {
  it('reads the picture, the sound and the duration', () => {
    expect(probe([VIDEO, AUDIO])).toMatchObject({
      format: 'matroska,webm',
      declaredTicks: 5_445_000,
      video: { streamIndex: 0, trackId: 1, ordinal: 0, codec: 'h264', width: 1_920, height: 1_080, bitrate: 5_000_000 },
      audio: [{ streamIndex: 1, codec: 'aac', profile: 'LC', channels: 2, sampleRate: 48_000, bitrate: undefined }],
      subtitles: [],
    });
    expect(video({})).toMatchObject({ isInterlaced: false, isHdr: false, isRotated: false, pixelAspect: 1, level: 40 });
    expect(video({})?.frameRate).toBeCloseTo(23.976, 3);
  });

  it('counts times from when the source begins', () => {
    const streams = [
      { ...VIDEO, start_time: '38.4' },
      { ...AUDIO, start_time: '38.376778' },
    ];
    const media = probe(streams, { start_time: '38.376778' });
    expect(media.startTicks).toBe(3_453_910);
    expect(media.video?.startTicks).toBe(2_090);
    expect(media.audio[0]?.startTicks).toBe(0);
    expect(probe([VIDEO], { start_time: undefined, duration: 'N/A' })).toMatchObject({
      startTicks: 0,
      declaredTicks: undefined,
    });
  });

  it('tells the size that is shown', () => {
    expect(video({ width: 720, height: 576, sample_aspect_ratio: '64:45' })).toMatchObject({
      width: 1_024,
      height: 576,
    });
    const rotated = { side_data_list: [{ side_data_type: 'Display Matrix', rotation: -90 }] };
    expect(video(rotated)).toMatchObject({ width: 1_080, height: 1_920, isRotated: true });
    expect(video({ tags: { rotate: '270' } })).toMatchObject({ width: 1_080, height: 1_920, isRotated: true });
    expect(video({ side_data_list: [{ rotation: 180 }] })).toMatchObject({ width: 1_920, isRotated: true });
    for (const nonsense of ['0:1', '1:0', '5000:1', 'N/A', undefined]) {
      expect(video({ sample_aspect_ratio: nonsense })).toMatchObject({ width: 1_920, pixelAspect: 1 });
    }
  });

  it('tells what a picture needs before it is shown', () => {
    for (const order of ['tt', 'bb', 'tb', 'bt']) expect(video({ field_order: order })?.isInterlaced).toBe(true);
    for (const transfer of ['smpte2084', 'arib-std-b67']) expect(video({ color_transfer: transfer })?.isHdr).toBe(true);
    expect(video({ color_transfer: 'bt709', pix_fmt: 'yuv420p10le' })?.isHdr).toBe(false);
  });

  it('takes the next best frame rate', () => {
    expect(video({ avg_frame_rate: '0/0', r_frame_rate: '25/1' })?.frameRate).toBe(25);
    expect(video({ avg_frame_rate: '90000/1', r_frame_rate: '50/1' })?.frameRate).toBe(50);
    expect(video({ avg_frame_rate: '0/0', r_frame_rate: '90000/1' })?.frameRate).toBeUndefined();
  });

  it('takes no cover for a film, and leaves out what it does not know', () => {
    const cover = { ...VIDEO, codec_name: 'mjpeg', disposition: { attached_pic: 1 } };
    expect(probe([cover, AUDIO]).video).toBeUndefined();
    expect(probe([cover, { ...VIDEO, index: 2 }]).video).toMatchObject({ streamIndex: 2, ordinal: 0 });
    const unknown = { index: 0, codec_type: 'video', width: 10, height: 10 };
    expect(probe([unknown, { ...VIDEO, index: 1 }]).video).toMatchObject({ streamIndex: 1, ordinal: 1 });
    const data = [{ index: 3, codec_type: 'data' }, { codec_type: 'attachment', codec_name: 'ttf' }, {}, 'none'];
    expect(
      probe([VIDEO, { ...AUDIO, codec_name: undefined }, { ...AUDIO, sample_rate: '0' }, ...(data as Stream[])]),
    ).toMatchObject({ audio: [], subtitles: [] });
  });

  it('reads languages, titles and what tracks are for', () => {
    const subtitle = { codec_type: 'subtitle', index: 2 };
    const { audio, subtitles } = probe([
      VIDEO,
      { ...AUDIO, tags: { language: 'ger', title: ' Kommentar\n\u0007der  Regie ' }, disposition: { default: 1 } },
      { ...subtitle, codec_name: 'subrip', tags: { language: 'eng' }, disposition: { forced: 1, hearing_impaired: 1 } },
      { ...subtitle, codec_name: 'hdmv_pgs_subtitle', tags: { language: 'und', title: '' } },
      { ...subtitle, codec_name: 'eia_608' },
    ]);
    expect(audio[0]).toMatchObject({ language: 'de', title: 'Kommentar der Regie', isDefault: true });
    expect(subtitles).toEqual([
      {
        ...{ streamIndex: 2, sidecarPath: undefined, codec: 'subrip', kind: 'text', language: 'en', title: undefined },
        ...{ isDefault: false, isForced: true, isForHearingImpaired: true },
      },
      {
        ...{ streamIndex: 2, sidecarPath: undefined, codec: 'hdmv_pgs_subtitle', kind: 'picture' },
        ...{ language: undefined, title: undefined, isDefault: false, isForced: false, isForHearingImpaired: false },
      },
    ]);
  });

  it.each(['subrip', 'ass', 'ssa', 'mov_text', 'webvtt', 'text'])('knows %s for text', (codec) => {
    expect(probe([{ codec_type: 'subtitle', codec_name: codec }]).subtitles).toMatchObject([{ codec, kind: 'text' }]);
  });

  it.each(['hdmv_pgs_subtitle', 'dvd_subtitle', 'dvb_subtitle', 'xsub'])('knows %s for pictures', (codec) => {
    expect(probe([{ codec_type: 'subtitle', codec_name: codec }]).subtitles).toMatchObject([
      { codec, kind: 'picture' },
    ]);
  });

  it('looks at 64 tracks at most', () => {
    const tracks = Array.from({ length: 200 }, (_, index) => ({ ...AUDIO, index }));
    expect(probe(tracks).audio).toHaveLength(64);
  });

  it.each([
    { what: 'no pixels', stream: { width: 0 }, says: /0x1080 pixels/ },
    { what: 'too many pixels', stream: { width: 16_000, height: 12_000 }, says: /16000x12000 .* 36 megapixels/ },
  ])('refuses a picture of $what', ({ stream, says }) => {
    expect(() => video(stream)).toThrow(says);
    expect(() => video(stream)).toThrow(expect.objectContaining({ code: 'BAD_MEDIA' }) as Error);
  });

  it('refuses durations that nobody watches', () => {
    expect(() => probe([AUDIO], { duration: '1e12' })).toThrow(/30 days/);
  });

  it('refuses what is no JSON', () => {
    for (const text of ['', '{', 'null', '7']) {
      expect(() => parseProbe(Buffer.from(text))).toThrow(expect.objectContaining({ code: 'BAD_MEDIA' }) as Error);
    }
  });
});
