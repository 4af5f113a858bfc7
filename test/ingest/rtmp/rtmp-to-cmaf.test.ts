import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FlvIngest } from '../../../src/ingest/rtmp/flv-ingest.ts';
import { writeFragment } from '../../../src/media/cmaf/fragment-writer.ts';
import { silentLogger } from '../../../src/util/logger.ts';
import { type RecordedFrame, RecordedPublication } from '../../support/rtmp-gate.ts';
import { makeFlvClip } from '../../support/rtmp-media.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'laddercast-rtmp-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

interface Packet {
  readonly pts: number;
  readonly dts: number;
  readonly flags: string;
}

function probe(name: string, frames: readonly RecordedFrame[]): Packet[] {
  const file = join(folder, name);
  const fragments = frames.map(
    ({ init, frame }) => writeFragment({ init, epoch: 0, frames: [frame], ingestedAtMs: 0 }).bytes,
  );
  writeFileSync(file, Buffer.concat([frames[0]!.init.bytes, ...fragments]));
  const quiet = ['-v', 'warning'];
  expect(execFileSync('ffmpeg', [...quiet, '-i', file, '-f', 'null', '-'], { encoding: 'utf8' })).toBe('');
  const args = [...quiet, '-show_packets', '-show_entries', 'packet=pts,dts,flags', '-of', 'json', file];
  return (JSON.parse(execFileSync('ffprobe', args, { encoding: 'utf8' })) as { packets: Packet[] }).packets;
}

describe('what an RTMP publisher sent, written as CMAF', () => {
  it('is read back by ffprobe frame for frame, with B-frames and the A/V relation of the source', () => {
    const disconnect = (): void => undefined;
    const publication = new RecordedPublication({
      broadcast: 'live/demo',
      key: 'secret',
      protocol: 'rtmp',
      remote: '127.0.0.1:1',
      disconnect,
    });
    const ingest = new FlvIngest(publication, 0, silentLogger);
    const clip = makeFlvClip(2);
    const kinds = { 8: 'audio', 9: 'video', 18: 'data' } as const;
    for (const { type, timestamp, body } of clip) ingest.message(kinds[type as 8 | 9 | 18], timestamp, body, timestamp);
    ingest.flush();
    const video = probe('video.mp4', publication.video);
    const audio = probe('audio.mp4', publication.audio);
    expect(video.map(({ pts, dts }) => [pts, dts])).toEqual(
      publication.video.map(({ frame }) => [frame.pts, frame.dts]),
    );
    expect(video).toHaveLength(60);
    expect(video.filter(({ flags }) => flags.startsWith('K'))).toHaveLength(2);
    expect(audio).toHaveLength(publication.audio.length);
    const firstAudioTag = clip.find(({ type, body }) => type === 8 && body[1] === 1)!;
    expect(audio[0]!.pts).toBe(firstAudioTag.timestamp * 48);
    expect(audio.every(({ pts }, i) => pts === audio[0]!.pts + i * 1024)).toBe(true);
  });
});
