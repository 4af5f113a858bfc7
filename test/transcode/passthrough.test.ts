import { describe, expect, it } from 'vitest';
import { AudioPassthroughFactory } from '../../src/transcode/audio-passthrough.ts';
import { PassthroughFactory } from '../../src/transcode/passthrough.ts';
import { audioInit, fragmentAt, videoInit } from '../support/fragments.ts';
import { EditableLadder, settled, TranscodeRig } from '../support/transcode-rig.ts';

const LADDER = [
  { name: 'original', factory: 'passthrough' as const },
  { name: '720p', height: 720 },
  { name: 'audio' },
];

describe('the passthrough factories', () => {
  it('re-emit the very same fragment objects, video and AAC', async () => {
    const rig = new TranscodeRig(
      new EditableLadder(...LADDER),
      new PassthroughFactory(),
      new AudioPassthroughFactory(),
    );
    const [video, audio] = [rig.output('original'), rig.output('audio')];
    const frame = fragmentAt({ init: videoInit(), atMs: 0, keyframe: true });
    const sound = fragmentAt({ init: audioInit(), atMs: 0, keyframe: true, durationMs: 20 });
    rig.source('live/demo', 'video').emit(frame);
    rig.source('live/demo', 'audio', audioInit()).emit(sound);
    await settled();
    expect(video.fragments).toEqual([frame]);
    expect(video.fragments[0]).toBe(frame);
    expect(audio.fragments[0]).toBe(sound);
    expect(rig.runner.list().map(({ factory, rendition, track, state }) => [factory, rendition, track, state])).toEqual(
      [
        ['passthrough', 'original', 'video', 'running'],
        ['audio-passthrough', 'audio', 'audio', 'running'],
      ],
    );
  });

  it('leave Opus to an encoder', async () => {
    const rig = new TranscodeRig(new EditableLadder(...LADDER), new AudioPassthroughFactory());
    const opus = { ...audioInit(), codec: 'opus' };
    const output = rig.output('audio');
    rig.source('live/demo', 'audio', opus).emit(fragmentAt({ init: opus, atMs: 0, keyframe: true }));
    await settled();
    expect(output.fragments).toEqual([]);
    expect(rig.runner.list()).toEqual([]);
  });
});
