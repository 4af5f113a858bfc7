import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { EncoderBroker } from '../../src/transcode/encoders.ts';
import { inspectFfmpeg, parseFfmpegVersion } from '../../src/ffmpeg/ffmpeg-binary.ts';
import { HARDWARE_ENCODERS } from '../../src/transcode/ffmpeg/video-encoders.ts';
import { silentLogger } from '../../src/util/logger.ts';

const BINARY = { path: 'ffmpeg', version: '7.1', major: 7 };
const report = (name: string, works: boolean): { name: string; listed: boolean; works: boolean; reason: string } => ({
  ...{ name, listed: true, works },
  reason: works ? 'it encoded some frames' : 'no device',
});

describe('EncoderBroker', () => {
  it('finds by really encoding that what ffmpeg lists need not work', async () => {
    const broker = await EncoderBroker.open({ ffmpeg: 'ffmpeg', logger: silentLogger });
    const { ffmpeg, encoders } = broker.report();
    expect(ffmpeg.version).toMatch(/\d/);
    expect(encoders.map(({ name }) => name)).toEqual([...HARDWARE_ENCODERS, 'libx264']);
    expect(encoders.at(-1)).toMatchObject({ listed: true, works: true });
    for (const { works, reason } of encoders) expect(works || reason.length > 5).toBe(true);
    for (const { name } of encoders.filter(({ works }) => !works)) {
      expect(broker.choose({ name: 'r', encoder: name })).toMatchObject({ encoder: { name: 'libx264' } });
      expect(broker.choose({ name: 'r', encoder: name, softwareFallback: false })).toHaveProperty('optOut');
    }
    const usable = encoders.filter(({ works }) => works).map(({ name }) => name);
    const choice = broker.choose({ name: '720p' });
    expect('encoder' in choice && choice.encoder.name).toBe(usable[0]);
  });

  it('takes the first hardware encoder that works for auto, else libx264', () => {
    const some = new EncoderBroker(BINARY, [
      report('h264_vaapi', true),
      report('h264_nvenc', false),
      report('h264_qsv', true),
    ]);
    expect(some.choose({ name: 'r', encoder: 'auto' })).toMatchObject({ encoder: { name: 'h264_qsv' } });
    const none = new EncoderBroker(BINARY, [report('h264_nvenc', false), report('libx264', true)]);
    expect(none.choose({ name: 'r' })).toMatchObject({ encoder: { name: 'libx264' } });
  });

  it('takes a named encoder that works, libx264 for one that does not, and nothing if the rung forbids that', () => {
    const broker = new EncoderBroker(BINARY, [
      report('h264_nvenc', false),
      report('h264_qsv', true),
      report('libx264', true),
    ]);
    expect(broker.choose({ name: 'r', encoder: 'h264_qsv' })).toMatchObject({ encoder: { name: 'h264_qsv' } });
    expect(broker.choose({ name: 'r', encoder: 'libx264' })).toMatchObject({ encoder: { name: 'libx264' } });
    expect(broker.choose({ name: 'r', encoder: 'h264_nvenc' })).toMatchObject({
      encoder: { name: 'libx264' },
      reason: 'h264_nvenc does not work: no device; libx264 stands in',
    });
    expect(broker.choose({ name: 'r', encoder: 'h264_magic' })).toMatchObject({ encoder: { name: 'libx264' } });
    expect(broker.choose({ name: 'r', encoder: 'h264_nvenc', softwareFallback: false })).toEqual({
      optOut: 'h264_nvenc does not work: no device; the rung forbids libx264 instead',
    });
  });
});

describe('the ffmpeg binary', () => {
  const folder = mkdtemp(join(tmpdir(), 'laddercast-ffmpeg-'));
  afterAll(async () => rm(await folder, { recursive: true }));

  it('tells its release, also where only its libraries do', () => {
    const major = (text: string): number => parseFfmpegVersion(text).major;
    expect(major('ffmpeg version 5.1.9-0+deb12u1 Copyright (c) 2000-2026')).toBe(5);
    expect(major('ffmpeg version n7.0.2 Copyright')).toBe(7);
    expect(major('ffmpeg version N-117000-gabc Copyright\nlibavcodec     61. 19.100 / 61. 19.100')).toBe(7);
    expect(major('ffmpeg version git-2030\nlibavcodec     64.  1.100')).toBeGreaterThan(8);
    expect(() => parseFfmpegVersion('bash: no such thing')).toThrow(/version/);
  });

  it('is refused when it is too old or cannot be run', async () => {
    const old = join(await folder, 'old-ffmpeg');
    await writeFile(old, '#!/bin/sh\necho "ffmpeg version 4.4.2 Copyright"\n', { mode: 0o755 });
    await expect(inspectFfmpeg(old)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('4.4.2') as unknown,
    });
    await expect(inspectFfmpeg(join(await folder, 'none'))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
